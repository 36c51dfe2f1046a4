import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '../../src/client/stack/stack.js';
import { blocks, documents, root } from './documents.js';

/** Where the pages put their example files. */
const tutorial = '/tmp/anneal-tutorial';

const pages = documents()
  .map((document) => ({ path: document.path, commands: blocks(document, 'sh test') }))
  .filter(({ commands }) => commands.length > 0);

let home: string;
let stack: Stack;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  rmSync(tutorial, { recursive: true, force: true });
  home = mkdtempSync(join(tmpdir(), 'anneal-docs-'));
  stack = await startStack({
    home,
    clockScale: 1200,
    environment: { ANNEAL_WAITING_SECONDS: '0.5,0.5,0.5', ANNEAL_LEASE_WATCH_SECONDS: '1' },
  });
  environment = {
    ...stack.environment,
    ANNEAL_HOME: home,
    PATH: `${dirname(stack.temporalCli)}${delimiter}${process.env.PATH}`,
  };
});

afterAll(async () => {
  await stack?.stop();
  rmSync(home, { recursive: true, force: true });
  rmSync(tutorial, { recursive: true, force: true });
});

describe('every command marked "sh test" does what its page says', () => {
  for (const { path, commands } of pages) {
    it(`in ${path}`, { timeout: 120_000 }, async () => {
      for (const { line, code } of commands) {
        const expected = Number(/^# exit code (\d+)$/m.exec(code)?.[1] ?? 0);
        const { exitCode, all } = await execa('bash', ['-euo', 'pipefail', '-c', code], {
          cwd: root,
          env: environment,
          extendEnv: false,
          reject: false,
          all: true,
          timeout: 60_000,
        });
        expect(exitCode, `${path}:${line}\n${code}\n${all}`).toBe(expected);
      }
    });
  }
});
