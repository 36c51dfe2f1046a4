import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { newCanary, scanForSecrets } from './support/secrets.js';

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
