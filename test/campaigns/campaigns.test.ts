import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { providedAddresses } from '../support/addresses.js';
import { crashCampaign } from './crash.js';
import { killPoints } from './support/kill-control.js';
import { newCanary, scanForSecrets } from './support/secrets.js';

const minutes = 60_000;

describe('the short version of each campaign finds no violation', () => {
  it('crash: 24 kills of every kind', { timeout: 8 * minutes }, async () => {
    const report = await crashCampaign({
      seed: 1,
      short: true,
      only: null,
      lanes: 4,
      addresses: providedAddresses(),
    });
    expect(report.violations).toEqual([]);
    expect(report.cases).toBe(8);
    expect(report.tally.total('not reached')).toBe(0);
    expect(report.tally.total('kills')).toBe(24);
    for (const kind of ['event', ...killPoints]) expect(report.tally.total(kind), kind).toBeGreaterThan(4);
    for (const [invariant, checks] of Object.entries(report.checked)) {
      expect(checks, `how often ${invariant} was checked`).toBeGreaterThan(0);
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
