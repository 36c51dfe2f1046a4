import {
  CreateModelCustomizationJobCommand,
  CreateProvisionedModelThroughputCommand,
  DeleteProvisionedModelThroughputCommand,
  GetProvisionedModelThroughputCommand,
  ListFoundationModelsCommand,
  ListModelCustomizationJobsCommand,
  ListProvisionedModelThroughputsCommand,
  StopModelCustomizationJobCommand,
} from '@aws-sdk/client-bedrock';
import { ConverseCommand, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Call } from '../../src/sandbox/call.js';
import { allows, declaredStatus, operationsOf } from '../../src/sandbox/faults/operations.js';
import { type ErrorFault, errorReply } from '../../src/sandbox/faults/replies.js';
import type { Fault } from '../../src/sandbox/faults/script.js';
import { createImpatientClients, type FaultySandbox, openFaultySandbox } from './faults-support.js';
import { destroyClients, errorOf, jobRequest, putText } from './sandbox.js';

let sandbox: FaultySandbox;
let request: Awaited<ReturnType<typeof jobRequest>>;
const baseThroughput = {
  modelId: 'amazon.nova-micro-v1:0:128k',
  modelUnits: 1,
} as const;

beforeAll(async () => {
  sandbox = await openFaultySandbox();
  request = await jobRequest(sandbox, 'faulty');
  await putText(sandbox, 'object', 'content '.repeat(100));
});
afterAll(() => sandbox.close());
beforeEach(() => sandbox.setFaults());

const calls = {
  CreateModelCustomizationJob: () => sandbox.bedrock.send(new CreateModelCustomizationJobCommand(request)),
  StopModelCustomizationJob: () =>
    sandbox.bedrock.send(new StopModelCustomizationJobCommand({ jobIdentifier: 'none' })),
  CreateProvisionedModelThroughput: () => provision('refused'),
  ListFoundationModels: () => sandbox.bedrock.send(new ListFoundationModelsCommand({})),
  Converse: () =>
    sandbox.runtime.send(
      new ConverseCommand({
        modelId: 'amazon.nova-micro-v1:0',
        messages: [{ role: 'user', content: [{ text: 'Hello' }] }],
      }),
    ),
  InvokeModel: () =>
    sandbox.runtime.send(new InvokeModelCommand({ modelId: 'amazon.nova-micro-v1:0', body: '{}' })),
  PutObject: () => sandbox.s3.send(new PutObjectCommand({ Bucket: 'data', Key: 'refused', Body: 'x' })),
  HeadObject: () => sandbox.s3.send(new HeadObjectCommand({ Bucket: 'data', Key: 'object' })),
  CreateBucket: () => sandbox.s3.send(new CreateBucketCommand({ Bucket: 'refused' })),
  GetCallerIdentity: () => sandbox.sts.send(new GetCallerIdentityCommand({})),
};

const provision = (name: string) =>
  sandbox.bedrock.send(
    new CreateProvisionedModelThroughputCommand({
      ...baseThroughput,
      provisionedModelName: name,
      clientRequestToken: `${name}-token`,
    }),
  );
const getThroughput = (provisionedModelId: string) =>
  sandbox.bedrock.send(new GetProvisionedModelThroughputCommand({ provisionedModelId }));
const deleteThroughput = (provisionedModelId: string) =>
  sandbox.bedrock.send(new DeleteProvisionedModelThroughputCommand({ provisionedModelId }));
const createsOf = async (name: string) =>
  (await sandbox.ledger()).filter((entry) => entry.name === name && entry.action === 'create');

describe('an error in place of an answer', () => {
  it.each<[Fault['kind'], keyof typeof calls, string, number]>([
    ['throttle', 'CreateModelCustomizationJob', 'ThrottlingException', 429],
    ['throttle', 'Converse', 'ThrottlingException', 429],
    ['throttle', 'PutObject', 'SlowDown', 503],
    ['throttle', 'GetCallerIdentity', 'Throttling', 400],
    ['accessDenied', 'CreateProvisionedModelThroughput', 'AccessDeniedException', 403],
    ['accessDenied', 'Converse', 'AccessDeniedException', 403],
    ['accessDenied', 'PutObject', 'AccessDenied', 403],
    ['expiredToken', 'ListFoundationModels', 'ExpiredTokenException', 403],
    ['expiredToken', 'Converse', 'ExpiredTokenException', 403],
    ['expiredToken', 'PutObject', 'ExpiredToken', 400],
    ['expiredToken', 'GetCallerIdentity', 'ExpiredToken', 403],
    ['conflict', 'CreateModelCustomizationJob', 'ConflictException', 400],
    ['conflict', 'StopModelCustomizationJob', 'ConflictException', 400],
    ['conflict', 'CreateBucket', 'OperationAborted', 409],
    ['conflict', 'PutObject', 'ConditionalRequestConflict', 409],
    ['capacity', 'CreateModelCustomizationJob', 'ServiceQuotaExceededException', 400],
    ['capacity', 'CreateProvisionedModelThroughput', 'ServiceQuotaExceededException', 400],
    ['capacity', 'InvokeModel', 'ServiceQuotaExceededException', 400],
    ['capacity', 'Converse', 'ThrottlingException', 429],
  ])('%s of %s is %s with status %i, and nothing is done', async (kind, operation, name, status) => {
    const before = await sandbox.ledger();
    await sandbox.setFaults({ operation, nth: 'always', fault: { kind } as Fault });
    expect(await errorOf(calls[operation]())).toMatchObject({ name, status });
    expect(await sandbox.ledger()).toEqual(before);
    expect((await sandbox.faults()).faults).toMatchObject([{ matched: 1, fired: 1 }]);
  });

  it.each<[500 | 503, keyof typeof calls, string]>([
    [500, 'ListFoundationModels', 'InternalServerException'],
    [500, 'Converse', 'InternalServerException'],
    [500, 'PutObject', 'InternalError'],
    [500, 'GetCallerIdentity', 'InternalFailure'],
    [503, 'Converse', 'ServiceUnavailableException'],
    [503, 'PutObject', 'ServiceUnavailable'],
    [503, 'GetCallerIdentity', 'ServiceUnavailable'],
  ])('error %i of %s is %s %s', async (status, operation, name) => {
    await sandbox.setFaults({ operation, nth: 1, fault: { kind: 'error', status } });
    expect(await errorOf(calls[operation]())).toMatchObject({ name, status });
  });

  it('503 of an operation that declares none comes from the front door, without a type', async () => {
    await sandbox.setFaults({
      operation: 'ListFoundationModels',
      nth: 1,
      fault: { kind: 'error', status: 503 },
    });
    expect((await errorOf(calls.ListFoundationModels())).status).toBe(503);
  });

  it('has no body when HEAD was asked, and says what the script says', async () => {
    await sandbox.setFaults(
      { operation: 'HeadObject', nth: 1, fault: { kind: 'accessDenied' } },
      { operation: 'ListFoundationModels', nth: 1, fault: { kind: 'throttle', message: 'Not so fast.' } },
    );
    expect(await errorOf(calls.HeadObject())).toMatchObject({ status: 403 });
    expect(await errorOf(calls.ListFoundationModels())).toMatchObject({ message: 'Not so fast.' });
  });

  it("is declared by its operation in AWS's model, for every fault that a script may lay on it", () => {
    const faults: ErrorFault[] = [
      ...(['throttle', 'accessDenied', 'conflict', 'capacity'] as const).map((kind) => ({ kind })),
      { kind: 'error', status: 500 },
    ];
    let checked = 0;
    for (const { service, operation } of operationsOf('*')) {
      for (const fault of faults.filter((each) => allows(each.kind, service, operation))) {
        const call: Call = { service, operation, requestId: 'x', names: () => [] };
        const reply = errorReply(call, fault, '000000000000');
        expect(reply.status).toBeGreaterThanOrEqual(400);
        if (!service.startsWith('bedrock')) continue;
        const name = reply.headers['x-amzn-errortype'] ?? '';
        expect(declaredStatus(service, operation, name), `${operation} ${name}`).toBe(reply.status);
        checked += 1;
      }
    }
    expect(checked).toBeGreaterThan(70);
  });
});

describe('a connection that is cut', () => {
  it('before the call was done: nothing has happened', async () => {
    await sandbox.setFaults(
      { operation: 'CreateProvisionedModelThroughput', nth: 1, fault: { kind: 'reset' } },
      {
        operation: 'CreateProvisionedModelThroughput',
        nth: 2,
        fault: { kind: 'timeoutBefore', holdMs: 100 },
      },
      { operation: 'Converse', nth: 1, fault: { kind: 'reset' } },
    );
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect((await errorOf(provision('never'))).status).toBe(0);
    }
    expect(await createsOf('never')).toEqual([]);
    expect((await errorOf(calls.Converse())).status).toBe(0);
  });

  it('after the create was committed: it is in the ledger, and the same token adopts it', async () => {
    await sandbox.setFaults({
      operation: 'CreateProvisionedModelThroughput',
      nth: 1,
      fault: { kind: 'timeoutAfterCommit' },
    });
    expect((await errorOf(provision('lost'))).status).toBe(0);
    const [create] = await createsOf('lost');
    expect(create).toMatchObject({ clientRequestToken: 'lost-token' });
    expect((await provision('lost')).provisionedModelArn).toBe(create?.resource);
    expect(await createsOf('lost')).toHaveLength(1);
    await deleteThroughput('lost');
  });

  it('never answers for as long as the script says, so that the client gives up first', async () => {
    const impatient = createImpatientClients(sandbox.endpoint, 200);
    await sandbox.setFaults({
      operation: 'CreateProvisionedModelThroughput',
      nth: 'always',
      fault: { kind: 'timeoutAfterCommit', holdMs: 60_000 },
    });
    const create = new CreateProvisionedModelThroughputCommand({
      ...baseThroughput,
      provisionedModelName: 'held',
    });
    expect((await errorOf(impatient.bedrock.send(create))).name).toBe('TimeoutError');
    await expect.poll(() => createsOf('held'), { timeout: 5000 }).toHaveLength(1);
    destroyClients(impatient);
    await deleteThroughput('held');
  });

  it('slow is done late: also after the client has given up', async () => {
    const impatient = createImpatientClients(sandbox.endpoint, 100);
    await sandbox.setFaults({
      operation: 'CreateProvisionedModelThroughput',
      nth: 1,
      fault: { kind: 'slow', delayMs: 1500 },
    });
    const create = new CreateProvisionedModelThroughputCommand({
      ...baseThroughput,
      provisionedModelName: 'late',
    });
    expect((await errorOf(impatient.bedrock.send(create))).name).toBe('TimeoutError');
    expect(await createsOf('late')).toEqual([]);
    await expect.poll(() => createsOf('late'), { timeout: 5000 }).toHaveLength(1);
    destroyClients(impatient);
    await deleteThroughput('late');
  });
});

describe('a garbled body', () => {
  it.each(['truncated', 'notJson'] as const)('that is %s hides what was done', async (body) => {
    const name = `garbled-${body}`;
    await sandbox.setFaults({
      operation: 'CreateProvisionedModelThroughput',
      nth: 1,
      fault: { kind: 'malformedBody', body },
    });
    expect((await errorOf(provision(name))).name).toBe('SyntaxError');
    const [create] = await createsOf(name);
    expect((await provision(name)).provisionedModelArn).toBe(create?.resource);
    await deleteThroughput(name);
  });

  it('of an object breaks off in the middle, of a listing is no XML', async () => {
    await sandbox.setFaults({ operation: 'S3:*', nth: 'always', fault: { kind: 'malformedBody' } });
    const read = async () => {
      const object = await sandbox.s3.send(new GetObjectCommand({ Bucket: 'data', Key: 'object' }));
      return object.Body?.transformToString();
    };
    await expect(read()).rejects.toThrow();
    await expect(sandbox.s3.send(new ListObjectsV2Command({ Bucket: 'data' }))).rejects.toThrow();
    await sandbox.setFaults();
    expect((await read())?.length).toBe(800);
  });
});

describe('a stale list', () => {
  const listed = async (nameContains?: string) => {
    const list = new ListProvisionedModelThroughputsCommand({ nameContains });
    return (await sandbox.bedrock.send(list)).provisionedModelSummaries?.map(
      (each) => each.provisionedModelName,
    );
  };

  it('lacks the newest mutations, and still has what was deleted', async () => {
    await provision('stale');
    await sandbox.setFaults({
      operation: 'ListProvisionedModelThroughputs',
      nth: [1, 2, 4],
      fault: { kind: 'staleList', mutations: 1 },
    });
    expect(await listed()).toEqual([]);
    expect(await listed()).toEqual([]);
    expect(await listed()).toEqual(['stale']);
    await deleteThroughput('stale');
    expect(await listed()).toEqual(['stale']);
    expect(await listed()).toEqual([]);
  });

  it('is as it was seconds ago, states and all', async () => {
    await sandbox.setClockScale(1);
    await provision('young');
    await sandbox.setFaults({
      operation: 'ListProvisionedModelThroughputs',
      nth: 1,
      fault: { kind: 'staleList', seconds: 100 },
    });
    expect(await listed('young')).toEqual([]);
    expect(await listed('young')).toEqual(['young']);
    await sandbox.setClockScale(3600);
    await expect.poll(async () => (await getThroughput('young')).status).toBe('InService');
    await sandbox.setClockScale(1);
    const createdAt = (await getThroughput('young')).creationTime?.getTime() ?? 0;
    const ageSeconds = (Date.parse((await sandbox.state()).time) - createdAt) / 1000;
    await sandbox.setFaults({
      operation: 'ListProvisionedModelThroughputs',
      nth: 1,
      fault: { kind: 'staleList', seconds: ageSeconds - 60 },
    });
    const list = new ListProvisionedModelThroughputsCommand({ nameContains: 'young' });
    const status = async () =>
      (await sandbox.bedrock.send(list)).provisionedModelSummaries?.map((each) => each.status);
    expect(await status()).toEqual(['Creating']);
    expect(await status()).toEqual(['InService']);
    await sandbox.setClockScale(3600);
    await deleteThroughput('young');
  });

  it('changes nothing: the job list is whole again at the next read', async () => {
    await sandbox.bedrock.send(new CreateModelCustomizationJobCommand(request));
    await sandbox.setFaults({
      operation: 'ListModelCustomizationJobs',
      nth: 1,
      fault: { kind: 'staleList' },
    });
    const names = async () =>
      (
        await sandbox.bedrock.send(new ListModelCustomizationJobsCommand({}))
      ).modelCustomizationJobSummaries?.map((job) => job.jobName);
    expect(await names()).toEqual([]);
    expect(await names()).toEqual(['faulty-job']);
  });
});
