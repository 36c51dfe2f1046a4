import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentTarget } from '../../src/activities/deployment/target.js';
import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
} from '../../src/domain/deployment.js';
import type { OwnedPage } from '../../src/domain/sweep.js';

/** What a target's tests bring along, so that the same promises can be checked everywhere. */
export interface DeploymentTargetFixture {
  /** Made with new clients: what another worker, or this one after a crash, would use. */
  newTarget(): DeploymentTarget;
  /** A complete request for a deployment that will become ready. */
  request(name: string): DeploymentRequest;
  /** A request that the target refuses at once. */
  refusedRequest(name: string): DeploymentRequest;
  /** Another model that a deployment can be pointed at. */
  readonly otherModelId: string;
  /** Somebody who is not Anneal deploys something under this name. */
  createStrangers(name: string): Promise<void>;
  /** How many deployments of this name exist now. */
  count(name: string): Promise<number>;
  /** Whether the deployment answers a question. */
  answers(deployment: DeploymentReference): Promise<boolean>;
  /** Removes whatever a test left behind. */
  deleteAll(): Promise<void>;
  /** Real time that a deployment may take to become ready. */
  readonly readyWithinMs: number;
}

/** Holds every deployment target to its promises. */
export function describeDeploymentTarget(name: string, setup: () => Promise<DeploymentTargetFixture>): void {
  describe(`deployment target: ${name}`, () => {
    let fixture: DeploymentTargetFixture;
    beforeAll(async () => {
      fixture = await setup();
    });
    afterEach(() => fixture.deleteAll());
    const get = () => fixture;
    describe('create', () => createTests(get));
    describe('an existing deployment', () => lifeTests(get));
    describe('delete', () => deleteTests(get));
    describe('listOwned', () => listTests(get));
  });
}

function createTests(fixture: () => DeploymentTargetFixture): void {
  test('twice with one token is one deployment', async () => {
    const { newTarget, request, count } = fixture();
    const target = newTarget();
    const first = await target.create(request('twice'));
    expect(first).toMatchObject({ target: target.name, name: 'twice' });
    expect(await target.create(request('twice'))).toEqual(first);
    expect(await count('twice')).toBe(1);
  });

  test('by another worker that never got the first reply adopts the deployment', async () => {
    const { newTarget, request, count } = fixture();
    const first = await newTarget().create(request('adopted'));
    expect(await newTarget().create(request('adopted'))).toEqual(first);
    expect(await count('adopted')).toBe(1);
  });

  test('by several workers at the same moment is one deployment', async () => {
    const { newTarget, request, count } = fixture();
    const deployments = await Promise.all([1, 2, 3, 4].map(() => newTarget().create(request('racing'))));
    expect(new Set(deployments.map(({ deploymentId }) => deploymentId)).size).toBe(1);
    expect(await count('racing')).toBe(1);
  });

  test('of a name that somebody else uses is a conflict and creates nothing', async () => {
    const { newTarget, request, createStrangers, count } = fixture();
    await createStrangers('strangers-name');
    await expect(newTarget().create(request('strangers-name'))).rejects.toMatchObject({
      type: 'Conflict',
      message: expect.stringContaining('strangers-name'),
    });
    expect(await count('strangers-name')).toBe(1);
  });

  test('of a name that another attempt of ours uses is a conflict', async () => {
    const { newTarget, request, count } = fixture();
    await newTarget().create(request('other-token'));
    await expect(
      newTarget().create({ ...request('other-token'), idempotencyToken: 'another-attempt' }),
    ).rejects.toMatchObject({ type: 'Conflict' });
    expect(await count('other-token')).toBe(1);
  });

  test('of something that can never be served fails for good and creates nothing', async () => {
    const { newTarget, refusedRequest, count } = fixture();
    await expect(newTarget().create(refusedRequest('refused'))).rejects.toMatchObject({
      type: 'ProviderRejected',
      message: expect.stringContaining('refused'),
    });
    expect(await count('refused')).toBe(0);
  });
}

function lifeTests(fixture: () => DeploymentTargetFixture): void {
  test('is found by its name, and an absent one is null', async () => {
    const { newTarget, request } = fixture();
    expect(await newTarget().find('nobody-made-this')).toBeNull();
    const deployment = await newTarget().create(request('findable'));
    expect(await newTarget().find('findable')).toEqual(deployment);
  });

  test('goes from creating to ready, and then answers', async () => {
    const { newTarget, request, answers, readyWithinMs } = fixture();
    const target = newTarget();
    const deployment = await target.create(request('ready'));
    expect(await target.describe(deployment)).toMatchObject({ status: 'creating', failureMessage: null });
    const ready = await untilReady(target, deployment, readyWithinMs);
    expect(ready.modelId).toBe(request('ready').modelId);
    expect(ready.rawStatus).not.toBe('');
    expect(await answers(deployment)).toBe(true);
  });

  test('tells its age by the clock of whoever bills it', async () => {
    const { newTarget, request, readyWithinMs } = fixture();
    const target = newTarget();
    const deployment = await target.create(request('ageing'));
    const { createdAt, observedAt } = await untilReady(target, deployment, readyWithinMs);
    const ageMs = Date.parse(observedAt) - Date.parse(createdAt ?? '');
    expect(ageMs).toBeGreaterThan(0);
    await sleep(1_100);
    const later = await target.describe(deployment);
    expect(Date.parse(later?.observedAt ?? '')).toBeGreaterThan(Date.parse(observedAt));
  });

  test('can be pointed at another model, and may be told so twice', async () => {
    const { newTarget, request, otherModelId, readyWithinMs, answers } = fixture();
    const target = newTarget();
    const deployment = await target.create(request('swapped'));
    await untilReady(target, deployment, readyWithinMs);
    await target.update(deployment, otherModelId);
    await target.update(deployment, otherModelId);
    expect((await untilReady(target, deployment, readyWithinMs)).modelId).toBe(otherModelId);
    await target.update(deployment, otherModelId);
    expect((await target.describe(deployment))?.status).toBe('ready');
    expect(await answers(deployment)).toBe(true);
  });
}

function deleteTests(fixture: () => DeploymentTargetFixture): void {
  test('removes the deployment, and may be repeated', async () => {
    const { newTarget, request, readyWithinMs, count } = fixture();
    const target = newTarget();
    const deployment = await target.create(request('deletable'));
    await untilReady(target, deployment, readyWithinMs);
    await target.delete('deletable');
    await target.delete('deletable');
    expect(await target.find('deletable')).toBeNull();
    expect(await target.describe(deployment)).toBeNull();
    expect(await count('deletable')).toBe(0);
  });

  test('succeeds when there never was a deployment', async () => {
    await fixture().newTarget().delete('nobody-made-this');
  });

  test("leaves somebody else's deployment alone", async () => {
    const { newTarget, createStrangers, count } = fixture();
    await createStrangers('not-ours');
    expect(await newTarget().find('not-ours')).toBeNull();
    await newTarget().delete('not-ours');
    expect(await count('not-ours')).toBe(1);
  });
}

function listTests(fixture: () => DeploymentTargetFixture): void {
  test('gives what carries our tags, with age, price and what would create it again', async () => {
    const { newTarget, request, createStrangers } = fixture();
    const target = newTarget();
    const made = await target.create(request('listed'));
    await createStrangers('unlisted');
    const pages = await allPages(target);
    expect(pages.flatMap(({ resources }) => resources.map(({ name }) => name))).toEqual(['listed']);
    const [page] = pages;
    const [listed] = page?.resources ?? [];
    const { tags, settings } = request('listed');
    expect(listed).toMatchObject({ kind: 'deployment', provider: target.name, id: made.deploymentId, tags });
    expect(listed?.usdPerHour).toBeGreaterThanOrEqual(0);
    expect(settings).toEqual(listed?.settings);
    await sleep(1_100);
    const ageMs =
      Date.parse((await allPages(target))[0]?.observedAt ?? '') - Date.parse(listed?.createdAt ?? '');
    expect(ageMs).toBeGreaterThan(0);
    await target.delete('listed');
    expect((await allPages(target)).flatMap(({ resources }) => resources)).toEqual([]);
  });
}

async function allPages(target: DeploymentTarget): Promise<OwnedPage[]> {
  const pages: OwnedPage[] = [];
  let next: string | null = null;
  do {
    const page: OwnedPage = await target.listOwned(next);
    pages.push(page);
    next = page.next;
  } while (next !== null);
  return pages;
}

async function untilReady(
  target: DeploymentTarget,
  deployment: DeploymentReference,
  withinMs: number,
): Promise<DeploymentDescription> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const description = await target.describe(deployment);
    if (description?.status === 'ready') return description;
    if (Date.now() > deadline) {
      throw new Error(`${deployment.name} is still ${description?.rawStatus ?? 'absent'}`);
    }
    await sleep(20);
  }
}
