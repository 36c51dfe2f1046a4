import { describe, expect, it } from 'vitest';
import { faultsCampaign } from './faults.js';
import { simulateCampaign } from './simulate.js';
import { longestShortMs, shortVersion } from './support/short.js';

describe('whatever the cloud does: the short version finds no violation', () => {
  it('faults: every kind of fault on about thirty calls', { timeout: longestShortMs }, async () => {
    const report = await faultsCampaign(shortVersion(3));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBeGreaterThanOrEqual(30);
    for (const name of ['retried', 'adopted', 'healed', 'failed']) {
      expect(report.tally.total(name), name).toBeGreaterThan(1);
    }
  });

  it('simulate: twenty lifecycles that seeds have made up', { timeout: longestShortMs }, async () => {
    const report = await simulateCampaign(shortVersion(2));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBe(20);
    expect(report.tally.total('faults')).toBeGreaterThan(10);
    expect(report.tally.total('promoted')).toBeGreaterThan(1);
  });
});
