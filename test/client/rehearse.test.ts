import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toBilling } from '../../src/client/rehearsal/rehearse.js';
import { isClean } from '../../src/client/rehearsal/report.js';
import { shortenDeadlines, toRehearsedSpec } from '../../src/client/rehearsal/shorten.js';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { startStack } from '../../src/client/stack/stack.js';
import { defaultDeadlines } from '../../src/domain/run-spec.js';
import type { SandboxFaults, SandboxResource } from '../../src/sandbox/admin.js';

let folder: string;
let running: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-rehearse-'));
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running = [];
  rmSync(folder, { recursive: true, force: true });
});

const small = {
  recipe: 'stylist',
  dataset: { source: { kind: 'builder', records: 100 } },
  validation: { samples: 50 },
};
const patienceMs = 240_000;

/** As a person in another folder types it; the run spec comes from standard input. */
function start(args: readonly string[], spec: object = small) {
  return startCommand(['rehearse', '-', '--home', folder, ...args], spec);
}

function startCommand(args: readonly string[], spec: object = {}) {
  const child = spawn(join(repositoryRoot, 'anneal'), args, {
    cwd: folder,
    env: { ...process.env, npm_lifecycle_event: '', ANNEAL_CLOUD: '', ANNEAL_AWS_ENDPOINT: '' },
  });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  child.stdin.end(JSON.stringify(spec));
  return { child, text: () => output, exit: once(child, 'exit').then(([code]) => code as number) };
}

function rehearse(args: readonly string[], spec: object = small) {
  return endOf(start(args, spec));
}

function anneal(args: readonly string[]) {
  return endOf(startCommand(args));
}

async function endOf({ exit, text }: ReturnType<typeof startCommand>) {
  const status = await exit;
  return { status, output: text() };
}

describe('anneal rehearse', () => {
  it('explains itself with examples', async () => {
    const { status, output } = await anneal(['rehearse', '--help']);
    expect(output).toMatch(/Examples:\n {2}anneal rehearse run\.json/);
    expect(output).toContain('Everything is simulated');
    expect(status).toBe(0);
  });

  it('promotes although every first reply is lost, and buys one job', { timeout: patienceMs }, async () => {
    const { status, output } = await rehearse(['--faults', 'lost-reply'], { recipe: 'stylist' });
    expect(output).toContain('everything bought here is simulated');
    expect(output).toMatch(/done +training: /);
    expect(output).toMatch(/waits: \S+ is InProgress/);
    expect(output).toMatch(/Outcome: promoted/);
    expect(output).toMatch(/1 × timeoutAfterCommit on bedrock:CreateModelCustomizationJob/);
    expect(output).toMatch(/1 × timeoutAfterCommit on bedrock:CreateCustomModelDeployment/);
    expect(output).toContain("Bought, by the cloud's ledger: 1 training job, 1 model, 1 deployment\n");
    expect(output).toMatch(/Spend \(simulated\): \$\d/);
    expect(output).toMatch(/deployment \S+, Active: .*\(champion\)/);
    expect(output).toContain('Nothing but the champion.');
    expect(output).not.toContain('LEFT BEHIND');
    expect(status).toBe(0);
  });

  it('names the typed failure of a failed job, and nothing bills', { timeout: patienceMs }, async () => {
    const { status, output } = await rehearse(['--faults', 'failing-job']);
    expect(output).toMatch(/Outcome: TrainingFailed/);
    expect(output).toContain('Internal error while training the model');
    expect(output).toMatch(/What would still bill:\n +nothing/);
    expect(status).toBe(0);
  });

  it('asks a person, or approves by itself; Ctrl-C leaves nothing behind', {
    timeout: patienceMs,
  }, async () => {
    const spec = { ...small, approval: 'before-training' };
    const asked = start([], spec);
    await expect
      .poll(() => asked.text(), { timeout: 90_000 })
      .toMatch(/In another terminal:\n.*--name approve/);
    asked.child.kill('SIGINT');
    expect(await asked.exit).toBe(130);
    expect(existsSync(join(folder, 'rehearsal/processes.json'))).toBe(false);
    const approved = await rehearse(['--approve'], spec);
    expect(approved.output).toMatch(/\$ .*--name approve/);
    expect(approved.output).toMatch(/Outcome: (rejected|promoted)/);
    expect(approved.status).toBe(0);
  });

  it.each([
    [['--faults', 'lost-repy'], small, /Did you mean "lost-reply"\?[\s\S]*stuck-job +The first training job/],
    [['--faults'], small, /--faults names a scenario or a file\.[\s\S]*lost-reply +The first reply/],
    [['--faults', './nope.json'], small, /no file .*nope\.json/],
    [['--readings', 'slow-list'], small, /Did you mean "slow-lists"\?/],
    [['--readings', '{"listLagMinutes":"5"}'], small, /listLagMinutes: found "5"/],
    [['--clock', 'fast'], small, /Allowed: a number above 0/],
    [[], { recipe: 'stylst' }, /Did you mean "stylist"\?/],
    [
      [],
      { ...small, dataset: { source: { kind: 'file', path: 's3://mine/rows.jsonl' } } },
      /s3:\/\/mine\/rows\.jsonl/,
    ],
    [['--faults', 'all'], { ...small, approval: 'before-promotion' }, /add --approve/],
  ])('refuses %j before anything is started', async (args, spec, message) => {
    const { status, output } = await rehearse(args, spec);
    expect(output).toMatch(message);
    expect(status).toBe(2);
    expect(existsSync(join(folder, 'rehearsal'))).toBe(false);
  });

  it('takes a fault script of your own, relative to where you are, and says what is wrong with it', async () => {
    writeFileSync(
      join(folder, 'mine.json'),
      '{"faults":[{"operation":"CreateNothing","nth":1,"fault":{"kind":"reset"}}]}',
    );
    const { status, output } = await rehearse(['--faults', 'mine.json']);
    expect(output).toMatch(/faults\.0\.operation: found "CreateNothing"/);
    expect(status).toBe(2);
  });
});

describe('a stack of your own', () => {
  it('plays faults and readings from its start', { timeout: 120_000 }, async () => {
    const stack = await startStack({
      home: folder,
      withWorker: false,
      faults: 'quota',
      readings: 'no-suffix',
    });
    try {
      const faults = (await (await fetch(`${stack.awsEndpoint}/_anneal/faults`)).json()) as SandboxFaults;
      expect(faults.name).toBe('quota');
      const model = encodeURIComponent('amazon.nova-micro-v1:0:128k');
      const asked = await fetch(`${stack.awsEndpoint}/model/${model}/converse`, {
        method: 'POST',
        headers: { authorization: 'Bearer x' },
        body: JSON.stringify({ messages: [{ role: 'user', content: [{ text: 'Hello' }] }] }),
      });
      expect(asked.headers.get('x-amzn-errortype')).toBe('ValidationException');
    } finally {
      await stack.stop();
    }
  });

  it('is not started by "anneal up" with faults that nobody knows', async () => {
    const { status, output } = await anneal(['up', '--home', folder, '--faults', 'flakey']);
    expect(output).toMatch(/Did you mean "flaky"\?/);
    expect(status).toBe(2);
    expect(existsSync(join(folder, 'logs'))).toBe(false);
  });
});

describe('what a rehearsal calls left behind', () => {
  const resource = (over: Partial<SandboxResource>): SandboxResource => ({
    kind: 'deployment',
    name: 'stylist-1-d1',
    resource: 'arn:one',
    status: 'Active',
    isLive: true,
    createdAt: '',
    endedAt: null,
    baseModel: null,
    modelArn: null,
    tags: {},
    usdPerHour: 1,
    hoursBilled: 0,
    usd: 0,
    requests: 0,
    ...over,
  });
  const champion = { resource: 'deployment stylist-1-d1', usdPerHour: 1, owner: 'champion' };

  it('is everything live that the champion does not own, running jobs included', () => {
    const throughput = resource({ kind: 'provisionedThroughput', name: 'stylist-1-d2', resource: 'arn:two' });
    const job = resource({ kind: 'trainingJob', name: 'stylist-1-t1', resource: 'arn:job', usdPerHour: 0 });
    const resources = [
      resource({}),
      throughput,
      job,
      resource({ kind: 'bucket', name: 'anneal' }),
      resource({ name: 'gone', isLive: false }),
    ];
    const { leftBilling, champion: owned } = toBilling({ resources }, { billing: [champion] });
    expect(leftBilling).toEqual([throughput, job]);
    expect(owned).toEqual([resource({})]);
    expect(isClean({ ended: true, leftBilling })).toBe(false);
    expect(isClean({ ended: false, leftBilling: [] })).toBe(false);
    expect(isClean({ ended: true, leftBilling: [] })).toBe(true);
  });

  it('is also what belongs to a candidate, or to nobody because the run failed', () => {
    const resources = [resource({})];
    expect(
      toBilling({ resources }, { billing: [{ ...champion, owner: 'candidate' }] }).leftBilling,
    ).toHaveLength(1);
    expect(toBilling({ resources }, null).leftBilling).toHaveLength(1);
  });
});

it('shortens deadlines with the clock, but not below what real work takes, nor a person', () => {
  const shortened = shortenDeadlines({ ...defaultDeadlines, validationMinutes: 1 }, 720);
  expect(
    Object.fromEntries(shortened.map(({ name, shortenedSeconds }) => [name, shortenedSeconds])),
  ).toMatchObject({
    trainingHours: 180,
    deploymentMinutes: 45,
    validationMinutes: 60,
  });
  expect(shortened.map(({ name }) => name)).not.toContain('approvalHours');
  const spec = {
    recipe: 'stylist',
    waiting: { firstMinuteSeconds: 45, firstHourSeconds: 60, laterSeconds: 300 },
  };
  expect(toRehearsedSpec(spec, shortened)).toMatchObject({
    deadlines: { trainingHours: 0.05, validationMinutes: 1 },
  });
  expect(toRehearsedSpec(spec, shortened)).not.toHaveProperty('waiting');
});
