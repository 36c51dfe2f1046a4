import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import {
  GetFoundationModelCommand,
  ListCustomModelsCommand,
  ListFoundationModelsCommand,
} from '@aws-sdk/client-bedrock';
import { ListBucketsCommand } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { provideProgram } from '../../scripts/setup/programs.mjs';
import { repositoryRoot } from '../../src/client/repository-root.js';
import type { SandboxFaultScenarios, SandboxFaults } from '../../src/sandbox/admin.js';
import { loadScenario, scenarioNames } from '../../src/sandbox/faults/scenarios.js';
import { parseFaultScript } from '../../src/sandbox/faults/script.js';
import { parseReadings } from '../../src/sandbox/readings.js';
import { type FaultySandbox, openFaultySandbox, putFaults } from './faults-support.js';
import { createClients, destroyClients, errorOf, getJson, temporaryDirectory } from './sandbox.js';

let sandbox: FaultySandbox;
beforeAll(async () => {
  sandbox = await openFaultySandbox({ clockScale: 1 });
});
afterAll(() => sandbox.close());
beforeEach(() => sandbox.setFaults());

const list = () => sandbox.bedrock.send(new ListFoundationModelsCommand({}));
const get = (modelIdentifier: string) =>
  sandbox.bedrock.send(new GetFoundationModelCommand({ modelIdentifier }));
const isRefused = (call: Promise<unknown>) =>
  call.then(
    () => false,
    () => true,
  );
const inOrder = async (count: number) => {
  const refused: boolean[] = [];
  for (let index = 0; index < count; index += 1) refused.push(await isRefused(list()));
  return refused;
};
const throttle = { kind: 'throttle' } as const;

describe('a rule', () => {
  it('meets the calls that nth names, counted among its own', async () => {
    await sandbox.setFaults({ operation: 'ListFoundationModels', nth: [2, 3], fault: throttle });
    await get('amazon.nova-micro-v1:0');
    expect(await inOrder(4)).toEqual([false, true, true, false]);
    expect((await sandbox.faults()).faults).toMatchObject([{ matched: 4, fired: 2 }]);
  });

  it('meets by chance the same calls for the same seed', async () => {
    const byChance = (seed: number) =>
      sandbox.setFaults({
        operation: 'ListFoundationModels',
        nth: { probability: 0.5, seed },
        fault: throttle,
      });
    await byChance(7);
    const first = await inOrder(20);
    await byChance(7);
    expect(await inOrder(20)).toEqual(first);
    await byChance(8);
    expect(await inOrder(20)).not.toEqual(first);
    expect(first.filter(Boolean).length).toBeGreaterThan(4);
    expect(first.filter(Boolean).length).toBeLessThan(16);
  });

  it('meets only calls that bear the name it gives', async () => {
    await sandbox.setFaults({
      operation: 'GetFoundationModel',
      nth: 'always',
      match: 'nova-pro',
      fault: throttle,
    });
    await get('amazon.nova-micro-v1:0');
    expect(await isRefused(get('amazon.nova-pro-v1:0'))).toBe(true);
  });

  it('with * meets every service, with a service every operation of that', async () => {
    await sandbox.setFaults({ operation: 'S3:*', nth: 'always', fault: throttle });
    expect(await errorOf(sandbox.s3.send(new ListBucketsCommand({})))).toMatchObject({ name: 'SlowDown' });
    await sandbox.sts.send(new GetCallerIdentityCommand({}));
    await sandbox.setFaults({ operation: '*', nth: 'always', fault: throttle });
    expect(await isRefused(sandbox.sts.send(new GetCallerIdentityCommand({})))).toBe(true);
    expect(await isRefused(list())).toBe(true);
  });

  it('is in force in its window of sandbox time only', async () => {
    await sandbox.setFaults({
      operation: 'ListFoundationModels',
      nth: 'always',
      during: { fromMinutes: 10, toMinutes: 600 },
      fault: throttle,
    });
    expect(await isRefused(list())).toBe(false);
    await sandbox.setClockScale(12_000);
    await expect.poll(() => isRefused(list()), { timeout: 10_000 }).toBe(true);
    await expect.poll(() => isRefused(list()), { timeout: 10_000 }).toBe(false);
    await sandbox.setClockScale(1);
  });

  it('gives way to an earlier one that meets the same call, and both count it', async () => {
    await sandbox.setFaults(
      { operation: 'ListFoundationModels', nth: 1, fault: { kind: 'accessDenied' } },
      { operation: '*', nth: 'always', fault: throttle },
    );
    expect((await errorOf(list())).name).toBe('AccessDeniedException');
    expect((await errorOf(list())).name).toBe('ThrottlingException');
    const { faults, log, logged } = await sandbox.faults();
    expect(faults).toMatchObject([
      { matched: 2, fired: 1 },
      { matched: 2, fired: 1 },
    ]);
    expect(log.map((line) => [line.sequence, line.kind, line.rule])).toEqual([
      [1, 'accessDenied', 0],
      [2, 'throttle', 1],
    ]);
    expect(logged).toBe(2);
  });

  it('that is outlived by the SDK is not seen by a client with its usual retries', async () => {
    await sandbox.setFaults({ operation: 'ListCustomModels', nth: 1, fault: { kind: 'error', status: 500 } });
    const patient = createClients(sandbox.endpoint);
    const answer = await patient.bedrock.send(new ListCustomModelsCommand({}));
    expect(answer.$metadata.attempts).toBe(2);
    destroyClients(patient);
  });
});

describe('a script that cannot be meant', () => {
  const rule = { operation: 'ListCustomModels', nth: 1, fault: throttle };
  it.each<[string, unknown, RegExp]>([
    [
      'an operation that is misspelt',
      { ...rule, operation: 'CreateModelCustomisationJob' },
      /faults\.0\.operation: found "CreateModelCustomisationJob".*Did you mean "CreateModelCustomizationJob"\?/,
    ],
    [
      'a kind that is misspelt',
      { ...rule, fault: { kind: 'throtle' } },
      /faults\.0\.fault.*found "throtle"; allowed: throttle, error.*Did you mean "throttle"\?/,
    ],
    [
      'a field that is misspelt',
      { ...rule, fault: { kind: 'slow', delayMs: 1, delaysMs: 1 } },
      /faults\.0\.fault\.delaysMs: found an unknown field; allowed: kind, delayMs\. Did you mean "delayMs"\?/,
    ],
    ['no nth', { operation: '*', fault: throttle }, /faults\.0\.nth: found nothing; allowed: a whole number/],
    ['an nth of 0', { ...rule, nth: 0 }, /faults\.0\.nth: found 0; allowed: a whole number from 1/],
    [
      'a fault that cannot happen to the operation',
      { ...rule, fault: { kind: 'jobFailed' } },
      /"jobFailed" cannot happen to ListCustomModels; it can to: CreateModelCustomizationJob, CreateTrainingJob\./,
    ],
    [
      'a conflict where AWS declares none',
      { ...rule, operation: 'CreateCustomModelDeployment', fault: { kind: 'conflict' } },
      /"conflict" cannot happen to CreateCustomModelDeployment/,
    ],
    ['another status', { ...rule, fault: { kind: 'error', status: 404 } }, /found 404; allowed: 500, 503/],
    ['a delay without end', { ...rule, fault: { kind: 'slow', delayMs: 1e9 } }, /fault\.delayMs: found/],
    [
      'a window that ends before it begins',
      { ...rule, during: { fromMinutes: 5, toMinutes: 5 } },
      /during\.toMinutes: found 5; allowed: more than fromMinutes, 5/,
    ],
  ])('is refused: %s', async (_, faulty, message) => {
    await sandbox.setFaults(rule as never);
    const answer = await putFaults(sandbox.endpoint, { faults: [faulty] });
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { message: string }).message).toMatch(message);
    // The script before it is still in force.
    expect((await sandbox.faults()).faults).toHaveLength(1);
  });

  it('is refused with an error for any JSON that is no script, and never breaks the sandbox', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          parseFaultScript({ faults: [value] }, 'The script');
        } catch (error) {
          expect((error as Error).message).toMatch(/^InvalidInput: The script has .*problem/);
        }
      }),
    );
  });
});

describe('scenarios', () => {
  it('are listed with what they do, and are set by name', async () => {
    const { scenarios } = await getJson<SandboxFaultScenarios>(sandbox.endpoint, '/_anneal/faults/scenarios');
    expect(scenarios.map((each) => each.name)).toEqual(scenarioNames());
    for (const { description, faults } of scenarios) {
      expect(description).toMatch(/\.$/);
      expect(faults.length).toBeGreaterThan(0);
    }
    const answer = await putFaults(sandbox.endpoint, { scenario: 'lost-reply' });
    expect(await answer.json()).toMatchObject({ name: 'lost-reply' });
    const unknown = await putFaults(sandbox.endpoint, { scenario: 'lost-replay' });
    expect(((await unknown.json()) as { message: string }).message).toMatch(/Did you mean "lost-reply"\?/);
  });

  it('can be set at the start', async () => {
    const quota = await openFaultySandbox({ faults: 'quota' });
    const { name, faults } = await quota.faults();
    expect(name).toBe('quota');
    expect(faults).toMatchObject(loadScenario('quota').faults);
    await quota.close();
  });
});

describe('the command line', () => {
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const each of undo.splice(0).reverse()) each();
  });
  let program: string;
  beforeAll(async () => {
    program = await provideProgram(repositoryRoot, 'sandbox');
  });
  const start = (...options: string[]): ChildProcess => {
    const stateDirectory = temporaryDirectory();
    const child = spawn(process.execPath, [program, '--state-directory', stateDirectory, ...options], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    undo.push(() => rmSync(stateDirectory, { recursive: true, force: true }));
    undo.push(() => child.kill('SIGKILL'));
    return child;
  };

  it('takes a script, a scenario and readings', async () => {
    const folder = temporaryDirectory();
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'faults.json');
    writeFileSync(
      file,
      JSON.stringify({ faults: [{ operation: 'ListCustomModels', nth: 1, fault: throttle }] }),
    );
    const child = start('--faults', file, '--readings', '{"suffixedBaseModelOnDemand": "validation-error"}');
    const [line] = await once(createInterface(child.stdout as NodeJS.ReadableStream), 'line');
    const { endpoint } = JSON.parse(String(line));
    const { faults } = await getJson<SandboxFaults>(endpoint, '/_anneal/faults');
    expect(faults).toMatchObject([{ operation: 'ListCustomModels', nth: 1, fault: throttle }]);
    const asked = await fetch(`${endpoint}/model/amazon.nova-micro-v1%3A0%3A128k/converse`, {
      method: 'POST',
      headers: { authorization: 'Bearer x' },
      body: JSON.stringify({ messages: [{ role: 'user', content: [{ text: 'Hello' }] }] }),
    });
    expect(asked.headers.get('x-amzn-errortype')).toBe('ValidationException');
  });

  it('says what is wrong with them and does not start', async () => {
    const child = start('--faults', 'lost-replay');
    const [complaint, [code]] = await Promise.all([
      text(child.stderr as NodeJS.ReadableStream as never),
      once(child, 'exit'),
    ]);
    expect(complaint).toMatch(/The sandbox could not start:.*Did you mean "lost-reply"\?/);
    expect(code).toBe(1);
    expect(() => parseReadings('{"invokeWhileUpdating": "old"}')).toThrow(
      /invokeWhileUpdating: found "old"; allowed: old-model, not-ready/,
    );
    expect(() => parseReadings('{"tokenOfDeletedResources": "new-resource"}')).toThrow(
      /Did you mean "tokenOfDeletedResource"\?/,
    );
    expect(() => parseReadings('nowhere.json')).toThrow(/there is no file nowhere\.json/);
    expect(() => parseReadings('{"x"')).toThrow(/--readings is not JSON/);
    expect(parseReadings('{"deletionMinutes": 3, "modelUnitsWithoutCommitment": 0}')).toMatchObject({
      deletionMinutes: 3,
      quotas: { modelUnitsWithoutCommitment: 0 },
    });
  });
});
