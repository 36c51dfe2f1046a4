import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DeleteCustomModelDeploymentCommand } from '@aws-sdk/client-bedrock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInferenceActivities, type InferResult } from '../../src/activities/inference/activities.js';
import { choose } from '../../src/activities/providers.js';
import type { JsonObject } from '../../src/domain/json.js';
import type { InferSpec } from '../../src/domain/run-spec.js';
import { chatGguf } from '../local/support/tiny-gguf.js';
import { type FaultyHttpServer, replyWith, startFaultyHttpServer } from '../support/faulty-http-server.js';
import { stylist } from '../support/run-specs.js';
import { startService, type TestService } from '../support/service.js';

let service: TestService;
/** Stands in for an Ollama that has a model and never comes to an answer, and for an OpenAI-compatible endpoint. */
let slow: FaultyHttpServer;
let champion: string;
let broken: string;
beforeAll(async () => {
  slow = await startFaultyHttpServer();
  const environment = { ANNEAL_OLLAMA_URL: slow.url, ANNEAL_OPENAI_COMPATIBLE_URL: `${slow.url}/v1` };
  service = await startService({ environment });
  [champion, broken] = [service.newModel(), service.newModel()];
  await Promise.all([champion, broken].map((model) => service.execute('fineTune', stylist(model))));
});
afterAll(async () => {
  await service?.stop();
  await slow?.close();
});

const request = JSON.parse(readFileSync('recipes/stylist/examples/request.json', 'utf8')) as JsonObject;
const infer = (model: string, more: object = {}) =>
  service.execute<InferResult>('infer', { recipe: 'stylist', model, request, ...more });

/** A model whose champion the slow server has. */
async function serveBySlowServer(): Promise<string> {
  const { objects, providers, registry } = service.dependencies;
  const model = service.newModel();
  const file = chatGguf(model);
  const sha256 = createHash('sha256').update(file).digest('hex');
  const modelId = `s3://${objects.bucket}/models/${model}/model.gguf`;
  const manifest = { sha256, bytes: file.length, format: 'gguf', baseModel: 'tiny' };
  await objects.put(modelId, file);
  await objects.put(`${modelId}.json`, JSON.stringify(manifest));
  const target = choose(providers.targets, 'ollama', 'deployment.target');
  slow.answer('/api/show', replyWith(404, ''));
  const deployment = await target.create({
    target: 'ollama',
    name: model,
    idempotencyToken: model,
    modelId,
    tags: { 'anneal:owner': 'anneal', 'anneal:model': model },
    settings: {},
  });
  const license = `Made by Anneal for deployment ${model}.`;
  const modelfile = `FROM /models/blobs/sha256-${sha256}\n`;
  slow.answer('/api/show', replyWith(200, JSON.stringify({ modelfile, license })));
  const author = { workflowId: `fine-tune/${model}`, runId: 'run-1' };
  const { version } = await registry.registerVersion(author, {
    model,
    recipe: 'stylist',
    provider: 'local',
    baseModel: 'tiny',
    modelName: model,
    modelId,
    jobName: model,
    datasetSha256: sha256,
    datasetManifestUri: 's3://anneal/manifest.json',
    fingerprint: sha256,
  });
  await registry.recordDeployment(author, model, version, { ...deployment, usdPerHour: 0 });
  const move = { model, version, action: 'promote' as const, deployedBy: 'a test', notes: '' };
  await registry.promote(author, move);
  return model;
}

/** What a user sees was checked, and passes when it is checked again here. */
function expectClean({ response }: InferResult): void {
  expect(response).toMatchObject({ guardrail_result: { passed: true, violations: [] } });
  const { guardrail_result: _, ...document } = response as JsonObject;
  const result = service.dependencies.recipes.get('stylist')?.checkAnswer(document, {});
  expect(result).toMatchObject({ passed: true, violations: [] });
}

describe('infer', () => {
  it('answers with the champion', async () => {
    const result = await infer(champion);
    expect(result).toMatchObject({ model: champion, version: 1, cloud: 'sandbox', raw: null });
    expect(result).toMatchObject({ source: 'model', fallbackReason: null });
    expect(result.usage.outputTokens).toBeGreaterThan(0);
    expectClean(result);
  });

  it('answers thirty different requests with clean responses', async () => {
    const wearers = ['hourglass', 'pear', 'apple', 'rectangle', 'inverted_triangle'];
    const wearer = request.wearer as JsonObject;
    const shapes = service.dependencies.recipes.get('stylist')?.inference;
    const asked = wearers.flatMap((bodyShape) =>
      [58, 61, 64, 67, 70, 73].map((heightInches) => ({
        ...request,
        wearer: { ...wearer, bodyShape, heightInches },
      })),
    );
    const known = asked.filter((each) => {
      try {
        return shapes?.prepare(each) !== undefined;
      } catch {
        return false;
      }
    });
    expect(known.length).toBeGreaterThanOrEqual(18);
    const results = await Promise.all(known.map((each) => infer(champion, { request: each })));
    for (const result of results) expectClean(result);
    expect(results.filter(({ source }) => source === 'model').length).toBeGreaterThan(known.length / 2);
  });

  it('answers from the phrase bank, and says why, before there is a champion', async () => {
    const result = await infer(service.newModel());
    expect(result).toMatchObject({ source: 'phrase_bank', version: null });
    expect(result.fallbackReason).toMatch(/no champion serves this model yet/);
    expectClean(result);
  });

  it('answers from the phrase bank when what served is gone', async () => {
    const { deployment } = (await service.dependencies.registry.champion(broken)) ?? {};
    const customModelDeploymentIdentifier = deployment?.deploymentId ?? '';
    await service.stranger.bedrock.send(
      new DeleteCustomModelDeploymentCommand({ customModelDeploymentIdentifier }),
    );
    const askedAtMs = Date.now();
    const result = await infer(broken);
    expect(Date.now() - askedAtMs).toBeLessThan(20_000);
    expect(result).toMatchObject({ source: 'phrase_bank' });
    expect(result.fallbackReason).toMatch(/model unavailable: .*ResourceNotFoundException/);
    expectClean(result);
  });

  it('does not wait for a slow model longer than it may, withdraws the question, and answers by itself', async () => {
    const model = await serveBySlowServer();
    let isWithdrawn = false;
    slow.answer('/api/generate', (response) => response.once('close', () => (isWithdrawn = true)));
    const askedAtMs = Date.now();
    const result = await infer(model, { answerSeconds: 1 });
    expect(result).toMatchObject({ source: 'phrase_bank', version: 1 });
    expect(result.fallbackReason).toMatch(/^model unavailable: .*(no answer within 1 seconds|timeout)/i);
    expect(Date.now() - askedAtMs).toBeLessThan(20_000);
    expectClean(result);
    await expect.poll(() => isWithdrawn, { timeout: 20_000 }).toBe(true);
  });

  it('gives the model as long as the product says, or else the target', async () => {
    const prepare = async (input: object) => {
      const activities = createInferenceActivities(service.dependencies);
      return (await activities.prepareInference(input as InferSpec)).answerSeconds;
    };
    const model = await serveBySlowServer();
    expect(await prepare({ recipe: 'stylist', model, request })).toBe(4);
    expect(await prepare({ recipe: 'conversation', model, request: { prompt: 'Hello?' } })).toBe(60);
    expect(await prepare({ recipe: 'stylist', model, request, answerSeconds: 20 })).toBe(20);
  });

  it('shows the answer of the base model beside it, for comparison, unchecked only as raw text', async () => {
    const result = await infer(champion, { serve: 'base' });
    expect(result).toMatchObject({ source: 'base_model', version: null });
    expect(result.raw).not.toBe('');
    expect(result.response).toBeNull();
    expect(result.fallbackReason).toMatch(/^format: /);
  });

  it("shows the answer of an endpoint's model beside it, checked by the same rules", async () => {
    slow.answer('/v1/models', replyWith(200, '{"data":[{"id":"large"}]}'));
    const answering = (text: string) =>
      slow.answer('/v1/chat/completions', (response) => {
        const chunk = { choices: [{ delta: { content: text }, finish_reason: 'stop' }] };
        replyWith(200, `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`)(response);
      });
    const endpoint = { serve: 'endpoint', endpointModel: 'large' };
    const comparison = { source: 'endpoint_model', version: null, raw: 'We open at nine.' };
    answering('We open at nine.');
    const asked = { recipe: 'conversation', request: { prompt: 'When do you open?' }, ...endpoint };
    expect(await service.execute<InferResult>('infer', asked)).toMatchObject({
      ...comparison,
      response: { guardrail_result: { passed: true } },
      fallbackReason: null,
    });
    expect(await infer(champion, endpoint)).toMatchObject({
      ...comparison,
      response: null,
      fallbackReason: expect.stringMatching(/^format: /),
    });
  });

  it('asks the base model inside the worker where a model server serves the champion', async () => {
    const result = await infer(await serveBySlowServer(), { serve: 'base' });
    expect(result).toMatchObject({ source: 'base_model', response: null });
    expect(result.fallbackReason).toMatch(/node-llama-cpp|has neither a deployment nor a base model/);
  });

  it.each([
    [{ serve: 'endpoint' }, /endpointModel: is missing; allowed: the name that the endpoint gives/],
    [{ serve: 'base', endpointModel: 'large' }, /endpointModel: is of no use without "serve": "endpoint"/],
    [{ serve: 'endpoints' }, /serve: found "endpoints"; allowed: .*Did you mean "endpoint"/],
  ])('refuses %j with the path of what is wrong', async (more, message) => {
    const ending = await service.run('infer', { recipe: 'stylist', model: champion, request, ...more });
    expect(ending).toMatchObject({ closed: 'failed', type: 'InvalidInput' });
    expect((ending as { message: string }).message).toMatch(message);
  });

  it('says which models the endpoint has where it has not the one that was asked for', async () => {
    slow.answer('/v1/models', replyWith(200, '{"data":[{"id":"large"}]}'));
    const result = await infer(champion, { serve: 'endpoint', endpointModel: 'huge' });
    expect(result).toMatchObject({ source: 'endpoint_model', response: null, raw: null });
    expect(result.fallbackReason).toMatch(/could not ask huge: .* it serves: large/);
  });

  it.each([
    ['no request', undefined, /request/],
    ['a text', 'dress', /\(input\)|request/],
    [
      'an unknown garment category',
      { ...request, garment: { ...(request.garment as JsonObject), category: 'tent' } },
      /garment\.category.*"tent"/,
    ],
    ['a missing wearer', { garment: request.garment }, /wearer/],
  ])('refuses %s with the path of what is wrong', async (_name, bad, message) => {
    const ending = await service.run('infer', { recipe: 'stylist', model: champion, request: bad });
    expect(ending).toMatchObject({ closed: 'failed', type: 'InvalidInput' });
    expect((ending as { message: string }).message).toMatch(message);
  });

  it('refuses a recipe that it does not know, with the ones there are', async () => {
    const ending = await service.run('infer', { recipe: 'stylish', request });
    expect(ending).toMatchObject({ closed: 'failed', type: 'InvalidInput' });
    expect((ending as { message: string }).message).toMatch(
      /recipe: found "stylish"; allowed: .*Did you mean "stylist"/,
    );
  });
});
