import { once } from 'node:events';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConverseCommand, ConverseStreamCommand, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SandboxHealth, SandboxMetrics } from '../../src/sandbox/admin.js';
import { loadServiceModel } from '../../src/sandbox/api/model.js';
import { findProblems } from '../../src/sandbox/api/validation.js';
import { errorOf, openSandbox, putText, type SandboxState, type TestSandbox } from './sandbox.js';

let sandbox: TestSandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());

const scope = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;
const modelId = 'amazon.nova-micro-v1:0';

it('speaks HTTP/1.1 and HTTP/2 on one port', async () => {
  const http1 = await fetch(`${sandbox.endpoint}/_anneal/health`);
  expect(await http1.json()).toMatchObject({ ok: true, simulated: true });
  const session = connect(sandbox.endpoint);
  const streams = Array.from({ length: 20 }, () => session.request({ ':path': '/_anneal/health' }));
  const answers = streams.map(async (stream) => {
    const [headers] = await once(stream, 'response');
    expect(headers).toMatchObject({ ':status': 200, 'x-anneal-sandbox': 'simulated' });
    expect(JSON.parse(await text(stream))).toMatchObject({ ok: true });
  });
  await Promise.all(answers);
  session.close();
});

it('tells services apart by the signature, not by a path that both could have', async () => {
  const object = await fetch(`${sandbox.endpoint}/custom-models`, {
    headers: { authorization: scope('s3') },
  });
  expect(await object.text()).toContain('<Code>NoSuchBucket</Code>');
  const models = await fetch(`${sandbox.endpoint}/custom-models`, {
    headers: { authorization: scope('bedrock') },
  });
  expect(await models.json()).toEqual({ modelSummaries: [] });
});

it('answers errors with a type in the header and a message in the body', async () => {
  const post = (path: string, body: string) =>
    fetch(sandbox.endpoint + path, { method: 'POST', body, headers: { authorization: scope('bedrock') } });
  const broken = await post('/model-customization-jobs', '{"jobName":');
  expect(broken.status).toBe(400);
  expect(broken.headers.get('x-amzn-errortype')).toBe('ValidationException');
  expect(await broken.json()).toEqual({ message: expect.stringContaining('not JSON') });
  const empty = await post('/model-customization-jobs', '{}');
  const { message } = (await empty.json()) as { message: string };
  expect(message).toMatch(/^6 validation errors detected: Value 'null' at 'jobName'/);
  const nothing = await post('/no-such-thing', '');
  expect(nothing.status).toBe(404);
  const emptyIdentifier = await fetch(`${sandbox.endpoint}/custom-models/`, {
    headers: { authorization: scope('bedrock') },
  });
  expect(emptyIdentifier.headers.get('x-amzn-errortype')).toBe('ValidationException');
  expect(
    await errorOf(
      sandbox.runtime.send(
        new ConverseStreamCommand({ modelId, messages: [{ role: 'user', content: [{ text: 'Hello' }] }] }),
      ),
    ),
  ).toMatchObject({ name: 'UnknownOperationException', status: 404 });
});

it('refuses conversations that Bedrock would refuse', async () => {
  const converse = (messages: object[], more: object = {}) =>
    sandbox.runtime.send(new ConverseCommand({ modelId, messages: messages as never, ...more }));
  const user = { role: 'user', content: [{ text: 'Hello' }] };
  const assistant = { role: 'assistant', content: [{ text: 'Hello' }] };
  const refused = [
    () => converse([]),
    () => converse([assistant]),
    () => converse([user, user]),
    () => converse([user, assistant]),
    () => converse([{ role: 'user', content: [{ text: ' ' }] }]),
    () => converse([user], { inferenceConfig: { temperature: 1.5 } }),
    () => converse([user], { inferenceConfig: { maxTokens: 0 } }),
    () => sandbox.runtime.send(new InvokeModelCommand({ modelId, body: 'no json' })),
  ];
  for (const call of refused) {
    expect(await errorOf(call())).toMatchObject({ name: 'ValidationException', status: 400 });
  }
});

it('cuts an answer at the tokens and the words it was told to', async () => {
  const ask = async (inferenceConfig: object) => {
    const messages = [{ role: 'user' as const, content: [{ text: 'Tell me about the weather.' }] }];
    const answer = await sandbox.runtime.send(new ConverseCommand({ modelId, messages, inferenceConfig }));
    return { ...answer, text: answer.output?.message?.content?.[0]?.text ?? '' };
  };
  const whole = await ask({ temperature: 0 });
  expect(whole.text.length).toBeGreaterThan(4);
  const short = await ask({ temperature: 0, maxTokens: 2 });
  expect(short).toMatchObject({ stopReason: 'max_tokens', usage: { outputTokens: 2 } });
  const letter = whole.text[3] ?? '';
  const stopped = await ask({ temperature: 0, stopSequences: [letter] });
  expect(stopped).toMatchObject({
    stopReason: 'stop_sequence',
    text: whole.text.slice(0, whole.text.indexOf(letter)),
  });
});

it('goes on answering while many questions wait', async () => {
  const messages = [{ role: 'user' as const, content: [{ text: 'Tell me about the weather.' }] }];
  const questions = Array.from({ length: 100 }, () =>
    sandbox.runtime.send(new ConverseCommand({ modelId, messages })),
  );
  await sleep(20);
  const startedAtMs = performance.now();
  await putText(sandbox, 'meanwhile', 'x');
  expect(performance.now() - startedAtMs).toBeLessThan(1000);
  await Promise.all(questions);
  const { operations } = await sandbox.admin<SandboxMetrics>('/_anneal/metrics');
  expect(operations['bedrock-runtime:Converse']?.statuses['200']).toBeGreaterThanOrEqual(100);
  const { baseModels } = await sandbox.admin<SandboxState>('/_anneal/state');
  const used = baseModels.find((each) => each.modelId === modelId);
  const price = ((used?.inputTokens ?? 0) * 0.035 + (used?.outputTokens ?? 0) * 0.14) / 1e6;
  expect(used?.usd).toBeCloseTo(price, 12);
});

it('changes the pace of its clock without a jump, and refuses a pace that is none', async () => {
  const now = async () => Date.parse((await sandbox.admin<SandboxHealth>('/_anneal/health')).time);
  await sandbox.setClockScale(1);
  const before = await now();
  await sleep(100);
  const slow = (await now()) - before;
  expect(slow).toBeGreaterThanOrEqual(90);
  expect(slow).toBeLessThan(2000);
  await sandbox.setClockScale(3600);
  await sleep(100);
  expect((await now()) - before).toBeGreaterThan(300_000);
  for (const scale of [0, -1, 'fast', null]) {
    const body = JSON.stringify({ scale });
    const response = await fetch(`${sandbox.endpoint}/_anneal/clock`, { method: 'POST', body });
    expect(response.status).toBe(400);
  }
});

it("finds what breaks AWS's model in an answer", () => {
  const model = loadServiceModel('bedrock');
  const problems = findProblems(model, 'GetProvisionedModelThroughputResponse', {
    modelUnits: 0,
    desiredModelUnits: 1,
    provisionedModelName: 'a',
    provisionedModelArn: 'arn:aws:bedrock:us-east-1:000000000000:provisioned-model/short',
    modelArn: 'arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0:128k',
    desiredModelArn: 'arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0:128k',
    status: 'Ready',
    creationTime: 1_700_000_000,
    lastModifiedTime: '2026-01-01T00:00:00Z',
  });
  expect(problems.map((problem) => problem.match(/at '(\w+)'/)?.[1])).toEqual([
    'foundationModelArn',
    'modelUnits',
    'provisionedModelArn',
    'status',
    'creationTime',
  ]);
});
