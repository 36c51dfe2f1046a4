import { WorkflowNotFoundError } from '@temporalio/client';
import { expect } from 'vitest';
import { leaseWorkflowId } from '../../src/domain/lease.js';
import type { LedgerEntry, SandboxResource } from '../../src/sandbox/admin.js';
import { leaseQuery } from '../../src/workflows/messages.js';
import type { TestService } from './service.js';

/**
 * What must be true of a model once nothing works on it any more (DESIGN, section 10): I1 one job per run,
 * I2 every live resource leased, I3 registry equals cloud, I4 the champion answers, I6 every row counted.
 */
export async function expectInvariants(service: TestService, model: string): Promise<void> {
  expectOneJobPerRun(await service.ledger());
  const live = (await service.live()).filter((resource) => isOf(resource, model));
  await expectLeases(service, live);
  await expectRegistryEqualsCloud(service, model, live);
  await expectChampionAnswers(service, model);
  await expectRowsCounted(service, model);
}

/** I1. Also no deployment twice. */
function expectOneJobPerRun(ledger: readonly LedgerEntry[]): void {
  for (const kind of ['trainingJob', 'deployment', 'provisionedThroughput'] as const) {
    const runs = ledger
      .filter((entry) => entry.action === 'create' && entry.kind === kind && entry.tags['anneal:run'])
      .map(({ tags }) => tags['anneal:run']);
    expect(runs, `${kind}: one for each run`).toEqual([...new Set(runs)]);
  }
}

/** I2. */
async function expectLeases(service: TestService, live: readonly SandboxResource[]): Promise<void> {
  for (const { kind, name } of live) {
    const leased = kind === 'customModel' || kind === 'trainingJob' ? 'training-job' : 'deployment';
    const handle = service.client.workflow.getHandle(leaseWorkflowId({ kind: leased, name }));
    const state = await handle.query(leaseQuery).then(
      (view) => view.state,
      (error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return 'there is none';
        throw error;
      },
    );
    expect(state, `the lease on ${kind} ${name}`).toBe('held');
  }
}

/** I3. */
async function expectRegistryEqualsCloud(
  service: TestService,
  model: string,
  live: readonly SandboxResource[],
): Promise<void> {
  const versions = await service.dependencies.registry.versions(model);
  const kept = versions.filter(({ status }) => status !== 'rejected' && status !== 'archived');
  const registered = [
    ...kept.map(({ modelName }) => modelName),
    ...versions.flatMap(({ deployment }) => (deployment ? [deployment.name] : [])),
  ];
  expect(registered.sort(), 'what the registry says exists').toEqual(live.map(({ name }) => name).sort());
  const champions = versions.filter(({ status }) => status === 'champion');
  expect(champions.length, 'champions').toBeLessThanOrEqual(1);
  expect((await service.dependencies.registry.champion(model))?.version).toBe(champions[0]?.version);
}

/** I4. */
async function expectChampionAnswers(service: TestService, model: string): Promise<void> {
  const champion = await service.dependencies.registry.champion(model);
  if (!champion?.deployment) return;
  const { target, deploymentId } = champion.deployment;
  const answer = await service.dependencies.providers.inference.get(target)?.ask({
    modelId: deploymentId,
    system: null,
    turns: [{ role: 'user', text: 'Are you there?' }],
    maxTokens: 20,
    temperature: 0,
  });
  expect(answer?.text, 'the answer of the champion').not.toBe('');
}

/** I6. */
async function expectRowsCounted(service: TestService, model: string): Promise<void> {
  const { objects, bucket } = service.dependencies;
  const manifests = (await objects.list(`s3://${bucket}/models/${model}/datasets/`)).filter((uri) =>
    uri.endsWith('/manifest.json'),
  );
  for (const uri of manifests) {
    const { counts } = JSON.parse((await objects.getText(uri)) ?? '{}') as {
      counts: { read: number; accepted: number; dropped: Record<string, number> };
    };
    const dropped = Object.values(counts.dropped).reduce((sum, count) => sum + count, 0);
    expect(counts.accepted + dropped, uri).toBe(counts.read);
  }
}

function isOf({ tags, name }: SandboxResource, model: string): boolean {
  return tags['anneal:model'] === model || name.startsWith(`${model}-`);
}
