import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processIdentity } from '../../src/activities/process-identity.js';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { temporalCommandLine } from '../../src/client/temporal-command.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal commands '));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** From a folder that is not the clone, as people with the command on their PATH do. */
function anneal(args: string[], { input = '', home = join(folder, 'home') } = {}) {
  const { status, stdout, stderr } = spawnSync(join(repositoryRoot, 'anneal'), args, {
    cwd: folder,
    input,
    encoding: 'utf8',
    env: {
      ...process.env,
      ANNEAL_HOME: home,
      ANNEAL_CLOUD: '',
      ANNEAL_AWS_ENDPOINT: '',
      npm_lifecycle_event: '',
    },
  });
  return { status, stdout, stderr };
}

describe('the anneal command', () => {
  it.each(['', 'up', 'demo', 'explain', 'estimate', 'sandbox', 'worker', 'migrate', 'reset', 'setup'])(
    'explains "%s" with examples',
    (name) => {
      const { status, stdout } = anneal([...(name ? [name] : []), '--help']);
      expect(stdout).toMatch(/Usage: anneal/);
      expect(stdout).toMatch(/Examples:\n {2}\S/);
      expect(status).toBe(0);
    },
  );

  it('knows what was meant by a misspelt command or option, and exits with 2', () => {
    const command = anneal(['explian']);
    expect(command).toMatchObject({ status: 2, stderr: expect.stringContaining('Did you mean explain?') });
    const option = anneal(['sandbox', '--legder']);
    expect(option).toMatchObject({ status: 2, stderr: expect.stringContaining('Did you mean --ledger?') });
  });
});

describe('anneal explain', () => {
  it('shows every default and where it comes from, for a file beside the caller', () => {
    writeFileSync(join(folder, 'run.json'), '{"recipe":"stylist","budgetUsd":3}');
    const { status, stdout } = anneal(['explain', 'run.json']);
    expect(stdout).toMatch(/^recipe +"stylist" +your run spec$/m);
    expect(stdout).toMatch(/^budgetUsd +3 +your run spec$/m);
    expect(stdout).toMatch(/^training\.provider +"bedrock" +recipe stylist$/m);
    expect(stdout).toMatch(/^deadlines\.trainingHours +48 +Anneal$/m);
    expect(status).toBe(0);
  });

  it('prints JSON for scripts', () => {
    const { stdout } = anneal(['explain', '-', '--json'], { input: '{"recipe":"stylist","model":"mine"}' });
    expect(JSON.parse(stdout)).toMatchObject({ model: 'mine', origin: { model: 'your run spec' } });
  });

  it.each([
    ['{"recipe":"stylst"}', /recipe: found "stylst"; allowed: .*stylist.*Did you mean "stylist"\?/],
    ['{"recipe":"stylist","trainin":{}}', /trainin: found an unknown field; .*Did you mean "training"\?/],
    ['{"recipe":7}', /recipe: found 7; allowed: /],
    ['[]', /\(input\): found \[\]/],
    ['{"recipe":', /standard input.*not JSON/],
  ])('refuses %s with exit code 2 and a remedy', (input, message) => {
    const { status, stderr } = anneal(['explain', '-'], { input });
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });

  it('says which file it looked for', () => {
    const { status, stderr } = anneal(['explain', 'nope.json']);
    expect(stderr).toContain(`${join(folder, 'nope.json')}: there is no such file`);
    expect(status).toBe(2);
  });
});

describe('anneal estimate', () => {
  it('counts the tokens of the real dataset and compares the sum with the budget, without a stack', () => {
    const run = '{"recipe":"stylist","budgetUsd":0.01,"dataset":{"source":{"kind":"builder","records":40}}}';
    const { status, stdout } = anneal(['estimate', '-', '--json'], { input: run });
    const { items, totalUsd, dataset, isWithinBudget } = JSON.parse(stdout);
    expect(dataset.trainingRecords + dataset.validationRecords).toBe(40);
    const sum = items.reduce((usd: number, item: { usd: number }) => usd + item.usd, 0);
    expect(totalUsd).toBeCloseTo(sum, 3);
    expect(isWithinBudget).toBe(totalUsd <= 0.01);
    expect(status).toBe(0);
  });
});

describe('commands that need a running stack', () => {
  it('say how to start one', () => {
    const { status, stderr } = anneal(['sandbox']);
    expect(stderr).toMatch(/No stack is running in .*home\. Remedy: start one with "anneal up"/);
    expect(status).toBe(1);
    expect(anneal(['worker'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('ANNEAL_AWS_ENDPOINT is missing'),
    });
  });
});

describe('anneal reset', () => {
  const home = () => join(folder, 'home');

  beforeEach(() => {
    mkdirSync(join(home(), 'cloud'), { recursive: true });
    writeFileSync(join(home(), 'temporal.db'), 'workflows');
    mkdirSync(join(home(), 'tools'));
  });

  it('asks first, and deletes nothing where there is nobody to answer', () => {
    const { status, stderr } = anneal(['reset']);
    expect(stderr).toMatch(/Nothing was deleted.*anneal reset --yes/);
    expect(status).toBe(2);
    expect(existsSync(join(home(), 'temporal.db'))).toBe(true);
  });

  it('deletes all state but no installed tools when told so', () => {
    expect(anneal(['reset', '--yes']).status).toBe(0);
    expect(existsSync(join(home(), 'temporal.db'))).toBe(false);
    expect(existsSync(join(home(), 'cloud'))).toBe(false);
    expect(existsSync(join(home(), 'tools'))).toBe(true);
    expect(anneal(['reset', '--yes']).stdout).toMatch(/nothing to delete/);
  });

  it('refuses while a stack runs', () => {
    const owner = { name: 'owner', pid: process.pid, identity: processIdentity(process.pid) };
    writeFileSync(join(home(), 'processes.json'), JSON.stringify({ owner, processes: [] }));
    const { status, stderr } = anneal(['reset', '--yes']);
    expect(stderr).toContain(`(process ${process.pid})`);
    expect(status).toBe(1);
    expect(existsSync(join(home(), 'temporal.db'))).toBe(true);
  });
});

it('prints commands that a shell takes as they are', () => {
  const line = temporalCommandLine({ temporalAddress: '127.0.0.1:9999' }, ['--input', `{"a":"it's"}`]);
  const printed = spawnSync('sh', ['-c', line.replace('.anneal/bin/temporal', `printf '%s|'`)], {
    encoding: 'utf8',
  });
  expect(printed.stdout).toBe(`--input|{"a":"it's"}|--address|127.0.0.1:9999|`);
});
