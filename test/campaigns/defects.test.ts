import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { providedAddresses } from '../support/addresses.js';
import { defects } from './defects/catalogue.js';
import { applied } from './defects/tree.js';
import { playDefects } from './defects.js';
import { longestShortMs } from './support/short.js';

describe('deliberate defects', () => {
  it('are found: two of them', { timeout: longestShortMs }, async () => {
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
