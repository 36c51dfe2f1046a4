import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TrainingProvider } from '../../src/activities/training/provider.js';
import type { OwnedPage, OwnedResource } from '../../src/domain/sweep.js';
import {
  isTerminal,
  type TrainingJobDescription,
  type TrainingJobReference,
  type TrainingJobRequest,
} from '../../src/domain/training-job.js';

/** What a provider's tests bring along, so that the same promises can be checked everywhere. */
export interface TrainingProviderFixture {
  /** Made with new clients: what another worker, or this one after a crash, would use. */
  newProvider(): TrainingProvider;
  /** A complete request for a job that will succeed. */
  request(jobName: string): Promise<TrainingJobRequest>;
  /** A request that is accepted and whose job fails. */
  failingRequest(jobName: string): Promise<TrainingJobRequest>;
  /** A request that the provider refuses at once. */
  refusedRequest(jobName: string): Promise<TrainingJobRequest>;
  /** Somebody who is not Anneal starts a job of this name; the model of the same name comes of it. */
  startStrangersJob(jobName: string): Promise<void>;
  /** How many jobs of this name the provider was made to run, ever. */
  countJobs(jobName: string): Promise<number>;
  countModels(modelName: string): Promise<number>;
  /** Real time that a job may take to end. */
  readonly endsWithinMs: number;
  /** What a running job is listed to cost an hour; 0 unless given. */
  readonly jobUsdPerHour?: number;
}

/** Holds every training provider to its promises. */
export function describeTrainingProvider(name: string, setup: () => Promise<TrainingProviderFixture>): void {
  describe(`training provider: ${name}`, () => {
    let fixture: TrainingProviderFixture;
    beforeAll(async () => {
      fixture = await setup();
    });
    const get = () => fixture;
    describe('submit', () => submitTests(get));
    describe('a running job', () => runTests(get));
    describe('cancel', () => cancelTests(get));
    describe('deleteModel', () => deleteTests(get));
    describe('listOwned', () => listTests(get));
  });
}

function submitTests(fixture: () => TrainingProviderFixture): void {
  test('twice with one token is one job', async () => {
    const { newProvider, request, countJobs } = fixture();
    const provider = newProvider();
    const first = await provider.submit(await request('twice'));
    expect(first).toMatchObject({ provider: provider.name, jobName: 'twice', modelName: 'twice' });
    expect(await provider.submit(await request('twice'))).toEqual(first);
    expect(await countJobs('twice')).toBe(1);
  });

  test('by another worker that never got the first reply adopts the job', async () => {
    const { newProvider, request, countJobs } = fixture();
    const first = await newProvider().submit(await request('adopted'));
    expect(await newProvider().submit(await request('adopted'))).toEqual(first);
    expect(await countJobs('adopted')).toBe(1);
  });

  test('by several workers at the same moment is one job', async () => {
    const { newProvider, request, countJobs } = fixture();
    const requested = await request('racing');
    const jobs = await Promise.all([1, 2, 3, 4].map(() => newProvider().submit(requested)));
    expect(new Set(jobs.map(({ jobId }) => jobId)).size).toBe(1);
    expect(await countJobs('racing')).toBe(1);
  });

  test('of a name that somebody else uses is a conflict and starts nothing', async () => {
    const { newProvider, request, startStrangersJob, countJobs } = fixture();
    await startStrangersJob('strangers-name');
    await expect(newProvider().submit(await request('strangers-name'))).rejects.toMatchObject({
      type: 'Conflict',
      message: expect.stringContaining('strangers-name'),
    });
    expect(await countJobs('strangers-name')).toBe(1);
  });

  test('of a name that another attempt of ours uses is a conflict', async () => {
    const { newProvider, request, countJobs } = fixture();
    const requested = await request('other-token');
    await newProvider().submit(requested);
    await expect(
      newProvider().submit({ ...requested, idempotencyToken: 'another-attempt' }),
    ).rejects.toMatchObject({ type: 'Conflict' });
    expect(await countJobs('other-token')).toBe(1);
  });

  test('of something that can never run fails for good and starts nothing', async () => {
    const { newProvider, refusedRequest, countJobs } = fixture();
    await expect(newProvider().submit(await refusedRequest('refused'))).rejects.toMatchObject({
      type: 'ProviderRejected',
      message: expect.stringContaining('refused'),
    });
    expect(await countJobs('refused')).toBe(0);
  });
}

function runTests(fixture: () => TrainingProviderFixture): void {
  test('is found by its name, and an absent one is null', async () => {
    const { newProvider, request } = fixture();
    const provider = newProvider();
    expect(await provider.find('nobody-started-this')).toBeNull();
    const job = await provider.submit(await request('findable'));
    expect(await newProvider().find('findable')).toEqual(job);
  });

  test('goes from running to succeeded, with a model, its losses and its times', async () => {
    const { newProvider, request, endsWithinMs } = fixture();
    const provider = newProvider();
    const job = await provider.submit(await request('succeeding'));
    const seen = await untilEnd(provider, job, endsWithinMs);
    expect(seen[0]).toMatchObject({ status: 'running', modelId: null, endedAt: null });
    for (const { rawStatus, progress } of seen) expect([rawStatus, progress]).not.toContain('');
    const last = seen.at(-1);
    expect(last).toMatchObject({ status: 'succeeded', failureMessage: null });
    expect(last?.modelId).toBeTruthy();
    expect(last?.trainingLoss).toBeGreaterThan(0);
    expect(Date.parse(last?.endedAt ?? '')).toBeGreaterThan(Date.parse(last?.startedAt ?? ''));
  });

  test('that fails says why', async () => {
    const { newProvider, failingRequest, endsWithinMs } = fixture();
    const provider = newProvider();
    const job = await provider.submit(await failingRequest('failing'));
    const last = (await untilEnd(provider, job, endsWithinMs)).at(-1);
    expect(last).toMatchObject({ status: 'failed', modelId: null });
    expect(last?.failureMessage).toBeTruthy();
  });
}

function cancelTests(fixture: () => TrainingProviderFixture): void {
  test('stops a running job, which leaves no model, and may be repeated', async () => {
    const { newProvider, request, endsWithinMs, countModels } = fixture();
    const provider = newProvider();
    const job = await provider.submit(await request('stopped'));
    await provider.cancel('stopped');
    await provider.cancel('stopped');
    const last = (await untilEnd(provider, job, endsWithinMs)).at(-1);
    expect(last).toMatchObject({ status: 'cancelled', modelId: null });
    await provider.cancel('stopped');
    expect(await countModels('stopped')).toBe(0);
  });

  test('succeeds when the job has ended, and when there never was one', async () => {
    const { newProvider, request, endsWithinMs } = fixture();
    const provider = newProvider();
    const job = await provider.submit(await request('ended'));
    await untilEnd(provider, job, endsWithinMs);
    await provider.cancel('ended');
    expect((await provider.describe(job)).status).toBe('succeeded');
    await provider.cancel('nobody-started-this');
  });

  test("leaves somebody else's job alone", async () => {
    const { newProvider, startStrangersJob, endsWithinMs, countModels } = fixture();
    await startStrangersJob('not-ours');
    const provider = newProvider();
    expect(await provider.find('not-ours')).toBeNull();
    await provider.cancel('not-ours');
    await expect.poll(() => countModels('not-ours'), { timeout: endsWithinMs }).toBe(1);
    await provider.deleteModel('not-ours');
    expect(await countModels('not-ours')).toBe(1);
  });
}

function deleteTests(fixture: () => TrainingProviderFixture): void {
  test('deletes the trained model, and may be repeated', async () => {
    const { newProvider, request, endsWithinMs, countModels } = fixture();
    const provider = newProvider();
    await untilEnd(provider, await provider.submit(await request('deletable')), endsWithinMs);
    expect(await countModels('deletable')).toBe(1);
    await provider.deleteModel('deletable');
    await provider.deleteModel('deletable');
    expect(await countModels('deletable')).toBe(0);
  });

  test('succeeds when there never was a model', async () => {
    await fixture().newProvider().deleteModel('nobody-trained-this');
  });
}

function listTests(fixture: () => TrainingProviderFixture): void {
  test('gives jobs that have not ended, then models, of those that carry our tags', async () => {
    const { newProvider, request, startStrangersJob, countModels, endsWithinMs, jobUsdPerHour } = fixture();
    const provider = newProvider();
    await startStrangersJob('unlisted');
    const job = await provider.submit(await request('listed'));
    const { tags } = await request('listed');
    const running = (await listAll(provider)).filter(({ name }) => name.endsWith('listed'));
    expect(running).toMatchObject([
      { kind: 'training-job', name: 'listed', id: job.jobId, usdPerHour: jobUsdPerHour ?? 0, tags },
    ]);
    expect(await provider.hasModel('listed')).toBe(false);

    await untilEnd(provider, job, endsWithinMs);
    await expect.poll(() => countModels('unlisted'), { timeout: endsWithinMs }).toBe(1);
    const ended = (await listAll(provider)).filter(({ name }) => name.endsWith('listed'));
    expect(ended).toMatchObject([{ kind: 'model', provider: provider.name, name: 'listed', tags }]);
    const { baseModel } = await request('listed');
    expect(ended[0]?.usdPerHour).toBe(provider.storageUsdPerHour(baseModel));
    expect(Number.isNaN(Date.parse(ended[0]?.createdAt ?? ''))).toBe(false);
    expect(await provider.hasModel('listed')).toBe(true);
    expect(await provider.hasModel('unlisted')).toBe(false);
    await provider.deleteModel('listed');
    expect(await provider.hasModel('listed')).toBe(false);
  });

  test('goes on until everything was seen', async () => {
    const { newProvider, request } = fixture();
    const provider = newProvider();
    await provider.submit(await request('page-1'));
    await provider.submit(await request('page-2'));
    const names = (await listAll(provider)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['page-1', 'page-2']));
    expect(new Set(names).size).toBe(names.length);
  });
}

async function listAll(provider: TrainingProvider): Promise<OwnedResource[]> {
  const resources: OwnedResource[] = [];
  let next: string | null = null;
  do {
    const page: OwnedPage = await provider.listOwned(next);
    resources.push(...page.resources);
    next = page.next;
  } while (next !== null);
  return resources;
}

/** Every description on the way to the end, the first one included. */
async function untilEnd(
  provider: TrainingProvider,
  job: TrainingJobReference,
  withinMs: number,
): Promise<TrainingJobDescription[]> {
  const seen: TrainingJobDescription[] = [];
  const deadline = Date.now() + withinMs;
  for (;;) {
    const description = await provider.describe(job);
    seen.push(description);
    if (isTerminal(description.status)) return seen;
    if (Date.now() > deadline) throw new Error(`${job.jobName} is still ${description.rawStatus}`);
    await sleep(20);
  }
}
