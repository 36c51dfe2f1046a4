import { describe, expect, it } from 'vitest';
import { contentionCampaign } from './contention.js';
import { longestShortMs, shortVersion } from './support/short.js';

describe('however many want it: the short version finds no violation', () => {
  it('contention: 15 runs for a budget of three, 8 jobs for a quota of two, one alias, one model, one schedule', {
    timeout: longestShortMs,
  }, async () => {
    const report = await contentionCampaign(shortVersion(2));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBe(8);
    const { tally } = report;
    expect(tally.total('waited for approve')).toBe(12);
    expect(tally.total('declined')).toBe(12);
    expect(tally.total('promoted')).toBe(3 + 8 + 3);
    expect(tally.total('one after another')).toBe(3);
    expect(tally.total('stood in line')).toBeGreaterThan(3);
    expect(tally.total('overtaken')).toBe(0);
    expect(tally.total('most at once')).toBe(2);
    expect(tally.total('moved the alias')).toBeGreaterThan(10);
  });
});
