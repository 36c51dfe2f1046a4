import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '../../src/client/stack/stack.js';
import { blocks, documents, root } from './documents.js';

/** Where the pages put their example files. */
const tutorial = '/tmp/anneal-tutorial';

const longestBlockMs = 120_000;

const pages = documents()
  .map((document) => ({ path: document.path, commands: blocks(document, 'sh test') }))
  .filter(({ commands }) => commands.length > 0);

let home: string;
let stack: Stack;
let environment: NodeJS.ProcessEnv;
/** Why the stack is no more, where a command failed because of that. */
let broken = '';

beforeAll(async () => {
  rmSync(tutorial, { recursive: true, force: true });
  home = mkdtempSync(join(tmpdir(), 'anneal-docs-'));
  stack = await startStack({
    home,
    clockScale: 3600,
    environment: { ANNEAL_WAITING_SECONDS: '0.3,0.3,0.3', ANNEAL_LEASE_WATCH_SECONDS: '1' },
  });
  stack.broken.then(({ message }) => {
    broken = message;
  });
  // A terminal of somebody who has set nothing but what docs/index.md says.
  const settings = /^(ANNEAL_|AWS_|DATABASE_URL$)/;
  environment = {
    ...Object.fromEntries(Object.entries(stack.environment).filter(([name]) => !settings.test(name))),
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
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
    it(`in ${path}`, { timeout: 300_000 }, async () => {
      for (const { line, code } of commands) {
        const expected = Number(/^# exit code (\d+)$/m.exec(code)?.[1] ?? 0);
        const { exitCode, output } = await runInBash(code);
        expect(exitCode, `${path}:${line}\n${code}\n${output}\n${broken}`).toBe(expected);
      }
    });
  }
});

/** Runs a block as a process group of its own, of which nothing is left afterwards. */
async function runInBash(code: string): Promise<{ exitCode: number | undefined; output: string }> {
  const bash = execa('bash', ['-euo', 'pipefail', '-c', code], {
    cwd: root,
    env: environment,
    extendEnv: false,
    reject: false,
    all: true,
    detached: true,
  });
  const endGroup = () => {
    try {
      process.kill(-(bash.pid as number), 'SIGKILL');
    } catch {
      // Everything has ended by itself.
    }
  };
  const timer = setTimeout(endGroup, longestBlockMs);
  try {
    const { exitCode, all } = await bash;
    return { exitCode, output: all };
  } finally {
    clearTimeout(timer);
    endGroup();
  }
}
