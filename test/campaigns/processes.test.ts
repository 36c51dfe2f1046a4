import { describe, expect, it } from 'vitest';
import { crashCampaign } from './crash.js';
import { outagesCampaign } from './outages.js';
import { peopleCampaign } from './people.js';
import { killPoints } from './support/kill-control.js';
import { longestShortMs, shortVersion } from './support/short.js';

describe('whatever is killed, stopped or ended: the short version finds no violation', () => {
  it('crash: 24 kills of every kind', { timeout: longestShortMs }, async () => {
    const report = await crashCampaign(shortVersion(4));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBe(8);
    expect(report.tally.total('not reached')).toBe(0);
    expect(report.tally.total('kills')).toBe(24);
    for (const kind of ['event', ...killPoints]) expect(report.tally.total(kind), kind).toBeGreaterThan(4);
    for (const [invariant, checks] of Object.entries(report.checked)) {
      expect(checks, `how often ${invariant} was checked`).toBeGreaterThan(0);
    }
  });

  it('people: a cancel, two terminates, a reset, and two creates in flight', {
    timeout: longestShortMs,
  }, async () => {
    const report = await peopleCampaign(shortVersion(4));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBe(6);
    expect(report.tally.total('runs')).toBe(6);
    expect(report.tally.total('not reached')).toBe(0);
    expect(report.tally.total('orphans')).toBe(0);
    expect(report.tally.total('jobs')).toBe(1);
  });

  it('outages: six lifecycles, Postgres and Temporal each ended at least once', {
    timeout: longestShortMs,
  }, async () => {
    const report = await outagesCampaign({ seed: 1, short: true, only: null, lanes: 2 });
    expect(report.violations).toEqual([]);
    expect(report.tally.total('lifecycles')).toBe(6);
    expect(report.tally.total('ended as they should')).toBe(6);
    const { tally } = report;
    expect(tally.total('postgres restarted') + tally.total('postgres killed')).toBeGreaterThan(0);
    expect(tally.total('temporal killed')).toBeGreaterThan(0);
  });
});
