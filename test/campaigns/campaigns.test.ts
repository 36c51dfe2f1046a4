import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { providedAddresses } from '../support/addresses.js';
import { contentionCampaign } from './contention.js';
import { crashCampaign } from './crash.js';
import { defects } from './defects/catalogue.js';
import { applied } from './defects/tree.js';
import { playDefects } from './defects.js';
import { faultsCampaign } from './faults.js';
import { outagesCampaign } from './outages.js';
import { peopleCampaign } from './people.js';
import { simulateCampaign } from './simulate.js';
import { killPoints } from './support/kill-control.js';
import { newCanary, scanForSecrets } from './support/secrets.js';

const minutes = 60_000;

/** The short version on the servers of all tests, the same each time. */
const short = (lanes: number) => ({
  seed: 1,
  short: true,
  only: null,
  lanes,
  addresses: providedAddresses(),
});

describe('the short version of each campaign finds no violation', () => {
  it('crash: 24 kills of every kind', { timeout: 8 * minutes }, async () => {
    const report = await crashCampaign(short(4));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBe(8);
    expect(report.tally.total('not reached')).toBe(0);
    expect(report.tally.total('kills')).toBe(24);
    for (const kind of ['event', ...killPoints]) expect(report.tally.total(kind), kind).toBeGreaterThan(4);
    for (const [invariant, checks] of Object.entries(report.checked)) {
      expect(checks, `how often ${invariant} was checked`).toBeGreaterThan(0);
    }
  });

  it('faults: every kind of fault on about thirty calls', { timeout: 8 * minutes }, async () => {
    const report = await faultsCampaign(short(4));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBeGreaterThanOrEqual(30);
    for (const name of ['retried', 'adopted', 'healed', 'failed']) {
      expect(report.tally.total(name), name).toBeGreaterThan(1);
    }
  });

  it('simulate: twenty lifecycles that seeds have made up', { timeout: 8 * minutes }, async () => {
    const report = await simulateCampaign(short(4));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBe(20);
    expect(report.tally.total('faults')).toBeGreaterThan(10);
    expect(report.tally.total('promoted')).toBeGreaterThan(1);
  });

  it('people: a cancel, two terminates, a reset, and two creates in flight', {
    timeout: 8 * minutes,
  }, async () => {
    const report = await peopleCampaign(short(4));
    expect(report.violations).toEqual([]);
    expect(report.cases).toBe(6);
    expect(report.tally.total('runs')).toBe(6);
    expect(report.tally.total('not reached')).toBe(0);
    expect(report.tally.total('orphans')).toBe(0);
    expect(report.tally.total('jobs')).toBe(1);
  });

  it('outages: six lifecycles, Postgres and Temporal each ended at least once', {
    timeout: 8 * minutes,
  }, async () => {
    const report = await outagesCampaign({ seed: 1, short: true, only: null, lanes: 2 });
    expect(report.violations).toEqual([]);
    expect(report.tally.total('lifecycles')).toBe(6);
    expect(report.tally.total('ended as they should')).toBe(6);
    const { tally } = report;
    expect(tally.total('postgres restarted') + tally.total('postgres killed')).toBeGreaterThan(0);
    expect(tally.total('temporal killed')).toBeGreaterThan(0);
  });

  it('contention: 15 runs for a budget of three, 8 jobs for a quota of two, one alias, one model, one schedule', {
    timeout: 8 * minutes,
  }, async () => {
    const report = await contentionCampaign(short(2));
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

describe('deliberate defects', () => {
  it('are found: two of them', { timeout: 5 * minutes }, async () => {
    const results = await playDefects({
      seed: 1,
      short: true,
      only: null,
      addresses: providedAddresses(),
    });
    expect(results.map(({ defect, verdict }) => [defect.name, verdict])).toEqual([
      ['promote-without-lock', 'detected'],
      ['promotion-not-atomic', 'detected'],
    ]);
  });

  it('can all be planted: what each replaces stands in src once', () => {
    const texts = new Map<string, string>();
    expect(defects.length).toBeGreaterThanOrEqual(15);
    for (const { name, edits } of defects) {
      texts.clear();
      for (const edit of edits) {
        const text = texts.get(edit.file) ?? readFileSync(edit.file, 'utf8');
        const spoiled = applied(text, edit);
        expect(spoiled, name).not.toBe(text);
        texts.set(edit.file, spoiled);
      }
    }
  });
});

describe('the scan for secrets', () => {
  it('finds one in the middle of a large file, also in base64, and nothing else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anneal-test-secrets-'));
    try {
      const secret = newCanary();
      const padding = Buffer.alloc(1_048_570, 'x');
      writeFileSync(join(folder, 'plain'), Buffer.concat([padding, Buffer.from(secret), padding]));
      for (const offset of [0, 1, 2]) {
        const text = `${'y'.repeat(offset)}${secret} and more`;
        writeFileSync(join(folder, `encoded-${offset}`), Buffer.from(text).toString('base64'));
      }
      writeFileSync(join(folder, 'innocent'), secret.slice(1));
      const { files, leaks } = await scanForSecrets([folder], { key: secret });
      expect(files).toBe(5);
      const expected = ['encoded-0', 'encoded-1', 'encoded-2', 'plain'];
      expect([...leaks].sort()).toEqual(expected.map((name) => `key in ${join(folder, name)}`));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
