import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireSpace } from '../../src/client/local/disk-space.js';
import { findAccelerator } from '../../src/client/local/engine-packages.js';
import { findPython, isRecent } from '../../src/client/local/find-python.js';
import { pipProblem } from '../../src/client/local/pip-problem.js';
import { progressOf } from '../../src/client/local/python-tools.js';
import { checkIntegrity } from '../../src/client/local/quantiser.js';
import { repositoryRoot } from '../../src/client/repository-root.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal setup '));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function setupLocal(args: string[], environment: Record<string, string> = {}) {
  return spawnSync(join(repositoryRoot, 'anneal'), ['setup', 'local', ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ANNEAL_HOME: join(folder, 'home'), ANNEAL_LOCAL_PYTHON: '', ...environment },
  });
}

/** A program that answers every question of set-up with these lines. */
function fakePython(...lines: string[]): string {
  const path = join(folder, 'python');
  writeFileSync(path, `#!/bin/sh\ncat <<'END'\n${lines.join('\n')}\nEND\n`, { mode: 0o755 });
  return path;
}

describe('anneal setup local', () => {
  it('refuses a Python that is too old before it installs anything', () => {
    const { status, stderr } = setupLocal(['--python', fakePython('/usr/bin/python3', '3.10.14')]);
    expect(stderr).toMatch(
      /no Python that set-up can use \(.*: 3\.10\.14\)\. Allowed: Python 3\.11 or newer/,
    );
    expect(status).toBe(1);
    expect(readdirSync(join(folder, 'home/local'))).toEqual([]);
  });

  it('says what a Python of your own lacks', () => {
    const python = fakePython('{"torch":"2.1.0+cpu","transformers":"5.23.0"}');
    const { status, stderr } = setupLocal([], { ANNEAL_LOCAL_PYTHON: python });
    expect(stderr).toMatch(
      /it has torch 2\.1\.0\+cpu \(tested: 2\.15\.0\), peft missing \(tested: .* Remedy: /,
    );
    expect(stderr).not.toContain('transformers 5');
    expect(status).toBe(1);
  });

  it('names an ANNEAL_LOCAL_PYTHON that does not run', () => {
    const { stderr } = setupLocal([], { ANNEAL_LOCAL_PYTHON: '/nowhere/python' });
    expect(stderr).toMatch(/ANNEAL_LOCAL_PYTHON is \/nowhere\/python, which does not run: .* Remedy: /);
  });

  it('says what the folder of --from lacks, and a failed set-up leaves nothing that looks whole', () => {
    mkdirSync(join(folder, 'packages'));
    const { status, stdout, stderr } = setupLocal(['--from', 'packages']);
    expect(stdout).toContain('PyTorch, Transformers and PEFT train and merge');
    expect(stderr).toMatch(/There is no package of a pinned version .* folder of --from.* Remedy: .* Log: /);
    expect(status).toBe(1);
    const venv = join(folder, 'home/local/venv');
    expect(readdirSync(venv)).not.toContain('.anneal-installed.json');
  });
});

it('what set-up started ends when set-up is killed', async () => {
  // `timeit` with an endless statement: any module that does not end by itself.
  const starter = spawn(
    'bash',
    ['-c', `python3 -m anneal_training.while_parent_lives $$ timeit -n 1 -r 1 ${endless} & echo $!; wait`],
    {
      cwd: join(repositoryRoot, 'training'),
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const pid = Number(await new Promise((seen) => starter.stdout.once('data', seen)));
  await sleep(1000);
  expect(isAlive(pid)).toBe(true);
  starter.kill('SIGKILL');
  await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
});

const endless = `'while True: __import__("time").sleep(1)'`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('set-up checks', () => {
  it('room: everything that goes to one disk counts together', () => {
    expect(() => requireSpace([{ folder: join(folder, 'not/yet/there'), bytes: 1000 }])).not.toThrow();
    const half = { folder, bytes: 6e17 };
    expect(() => requireSpace([half, { ...half, folder: join(folder, 'cache') }])).toThrow(
      /has [\d.]+ GB free; the set-up needs 1200000000\.0 GB\. Remedy: /,
    );
  });

  it('versions of Python', () => {
    expect(['3.10.14', '3.11.0', '3.9', '3.14.1', '4.0.0', '2.7.18'].map(isRecent)).toEqual([
      false,
      true,
      false,
      true,
      true,
      false,
    ]);
  });

  it('finds a Python on PATH', async () => {
    expect((await findPython()).version).toMatch(/^3\.\d+\.\d+/);
  });

  it.runIf(process.platform === 'linux')('an NVIDIA GPU by what its driver says', async () => {
    const path = process.env.PATH;
    const driverSays = (line: string, exitCode: number) => {
      writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\necho '${line}'\nexit ${exitCode}\n`, {
        mode: 0o755,
      });
      process.env.PATH = `${folder}:${path}`;
      return findAccelerator();
    };
    try {
      expect(await driverSays('GPU 0: NVIDIA A10G (UUID: GPU-1)', 0)).toBe('nvidia');
      expect(await driverSays('No devices were found', 0)).toBeNull();
      expect(await driverSays('NVIDIA-SMI has failed', 9)).toBeNull();
    } finally {
      process.env.PATH = path;
    }
  });

  it('the hash of the quantiser', () => {
    const archive = join(folder, 'package.tgz');
    writeFileSync(archive, 'abc');
    const right =
      'sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==';
    expect(() => checkIntegrity(archive, right)).not.toThrow();
    writeFileSync(archive, 'abd');
    expect(() => checkIntegrity(archive, right)).toThrow(/is not the package that .* pins: found sha512-/);
  });

  it('every package is pinned with hashes', () => {
    const names = readdirSync(join(repositoryRoot, 'training')).filter((name) => name.endsWith('.txt'));
    expect(names).toEqual([
      'requirements-base-model.txt',
      'requirements-bitsandbytes.txt',
      'requirements-mlx.txt',
      'requirements.txt',
    ]);
    for (const name of names) {
      const text = readFileSync(join(repositoryRoot, 'training', name), 'utf8').replaceAll('\\\n', ' ');
      const packages = text.split('\n').filter((line) => /^[a-z]/.test(line));
      expect(packages.length).toBeGreaterThan(0);
      expect(packages.filter((line) => !/^[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}/.test(line))).toEqual([]);
    }
  });

  it.each([
    ['  Downloading torch-2.15.0-cp311-cp311-manylinux_2_28_x86_64.whl (539.1 MB)', 'torch 2.15.0, 539.1 MB'],
    ['  Using cached peft-0.21.2-py3-none-any.whl (600 kB)', 'peft 0.21.2, 600 kB'],
    ['  Downloading torch-2.15.0-cp311-cp311-linux.whl.metadata (28 kB)', null],
    ['Collecting torch==2.15.0', null],
  ])('shows of "%s" what matters', (line, shown) => expect(progressOf(line)).toBe(shown));

  it.each([
    ['ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.', /its hash differs/],
    ['OSError: [Errno 28] No space left on device', /The disk is full.*TMPDIR/],
    ['Max retries exceeded with url: /simple/torch/', /not reachable.*proxy/],
    ['ERROR: something new', /pip failed: something new/],
  ])('gives the remedy for "%s"', (output, message) =>
    expect(pipProblem(output, 'setup.log').message).toMatch(message),
  );
});
