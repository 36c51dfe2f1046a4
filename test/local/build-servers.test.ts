import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';

/** What it asks of Python, Go and a compiler; that they build is seen by `npm run test:local`. */
let folder: string;
let home: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal build servers '));
  home = join(folder, 'home');
  mkdirSync(join(folder, 'programs'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, ...lines: string[]): string {
  const path = join(folder, 'programs', name);
  writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o755 });
  return path;
}

function build(names: string[], environment: Record<string, string> = {}) {
  return spawnSync(process.execPath, ['scripts/build-servers.mjs', ...names], {
    cwd: repositoryRoot,
    encoding: 'utf8',
    env: {
      ...process.env,
      ...{ ANNEAL_TEST_OLLAMA: '', ANNEAL_LLAMA_SERVER: '', ANNEAL_HOME: home },
      ANNEAL_LOCAL_PYTHON: program('python', "echo '0.94.0'", `echo '${join(folder, 'the packages')}'`),
      PATH: `${join(folder, 'programs')}${delimiter}${process.env.PATH}`,
      ...environment,
    },
  });
}

/** Words as Go takes them from a variable: divided by blanks, unless between quotes. */
function words(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

describe('build-servers', () => {
  it('builds Ollama with the headers of a folder whose path has blanks, and without AMX', () => {
    const seen = join(folder, 'flags');
    const sum = /sum: '(h1:[^']+)'/.exec(
      readFileSync(join(repositoryRoot, 'scripts/build-servers.mjs'), 'utf8'),
    )?.[1];
    program(
      'go',
      `if [ "$1" = mod ]; then echo '{"Sum": "${sum}"}'; exit; fi`,
      `echo "$CGO_CXXFLAGS" > '${seen}'`,
      `mkdir -p "$GOBIN" && printf '#!/bin/sh\\necho ollama version 1\\n' > "$GOBIN/ollama" && chmod +x "$GOBIN/ollama"`,
    );
    const { status, stdout, stderr } = build(['ollama']);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/ollama after \S+ min: ollama version 1/);
    expect(words(readFileSync(seen, 'utf8'))).toEqual(
      expect.arrayContaining([`-I${join(folder, 'the packages/llama.cpp/vendor')}`, '-U__AMX_INT8__']),
    );
    expect(existsSync(join(home, 'local/bin/ollama'))).toBe(true);
    expect(build(['ollama']).stdout).toMatch(/is there already; delete it to build it again/);
  });

  it('builds none where one is named', () => {
    const { status, stdout } = build(['ollama', 'llama-server'], {
      ANNEAL_TEST_OLLAMA: '/opt/ollama',
      ANNEAL_LLAMA_SERVER: '/opt/llama-server',
    });
    expect(stdout).toContain('ANNEAL_TEST_OLLAMA names /opt/ollama; unset it to build ollama.');
    expect(stdout).toContain('ANNEAL_LLAMA_SERVER names /opt/llama-server; unset it to build llama-server.');
    expect(status).toBe(0);
  });
});
