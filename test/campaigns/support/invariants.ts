import { ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { type LeaseView, leaseWorkflowId, type WorkflowHolder } from '../../../src/domain/lease.js';
import type { ModelVersion } from '../../../src/domain/model-version.js';
import type { LedgerEntry, SandboxResource } from '../../../src/sandbox/admin.js';
import { leaseQuery } from '../../../src/workflows/messages.js';
import type { TestService } from '../../support/service.js';

/** What must be true whatever happened, in the words of a report. */
export const invariants = {
  I1: 'one external training job, and nothing else twice, for each run',
  I2: 'every live paid resource has a live lease with a legitimate holder',
  I3: 'one champion, and the registry equals the cloud',
  I4: 'the champion answers',
  I5: 'every run ended, as it would have without faults',
  I6: 'records accepted + dropped = read',
  I7: 'no secret in any byte at rest',
} as const;

export type Invariant = keyof typeof invariants;

/** One look at one invariant; `violation` is null where it held. */
export interface Finding {
  readonly invariant: Invariant;
  readonly violation: string | null;
}

/** What the checks look at. */
export type Observed = Pick<TestService, 'client' | 'dependencies' | 'ledger' | 'live'>;

/** I1 to I4 and I6 for a model on which nothing works any more. */
export async function checkModel(observed: Observed, model: string): Promise<Finding[]> {
  const live = (await observed.live()).filter((resource) => isOf(resource, model));
  const versions = await observed.dependencies.registry.versions(model);
  const findings = await Promise.all([
    checkPurchases(await observed.ledger(), model),
    checkLeases(observed, live, versions),
    checkRegistry(observed, model, live, versions),
    checkChampionAnswers(observed, model),
    checkRowsCounted(observed, model),
  ]);
  return findings.flat();
}

type Purchase = Pick<LedgerEntry, 'action' | 'kind' | 'name' | 'tags'>;

/** I1: what a model's runs have created more than once; empty where everything was bought once. */
export function secondPurchases(ledger: readonly Purchase[], model: string): string[] {
  const seen = new Set<string>();
  const repeated: string[] = [];
  for (const { action, kind, name, tags } of ledger) {
    const isPaid = kind === 'trainingJob' || kind === 'deployment' || kind === 'provisionedThroughput';
    const run = tags['anneal:run'];
    if (action !== 'create' || !isPaid || !run || tags['anneal:model'] !== model) continue;
    const purchase = `${kind} of run ${run}`;
    if (seen.has(purchase)) repeated.push(`a second ${purchase}: ${name}`);
    seen.add(purchase);
  }
  return repeated;
}

function checkPurchases(ledger: readonly LedgerEntry[], model: string): Finding[] {
  return findingsOf('I1', secondPurchases(ledger, model));
}

/** I2. */
async function checkLeases(
  observed: Observed,
  live: readonly SandboxResource[],
  versions: readonly ModelVersion[],
): Promise<Finding[]> {
  const findings = await Promise.all(
    live.map(async ({ kind, name }) => {
      const leased = kind === 'customModel' || kind === 'trainingJob' ? 'training-job' : 'deployment';
      const lease = await viewSettledLease(observed, leaseWorkflowId({ kind: leased, name }));
      const problem = lease ? problemOf(lease, versions) : 'there is none';
      return finding('I2', problem && `the lease on ${kind} ${name}: ${problem}`);
    }),
  );
  return findings.length > 0 ? findings : [finding('I2', null)];
}

function problemOf({ state, holder }: LeaseView, versions: readonly ModelVersion[]): string | null {
  if (state !== 'held' || !holder) return `it is ${state}`;
  if (holder.kind === 'workflow') return null;
  const version = versions.find((candidate) => candidate.version === holder.version);
  const isKept = version && version.status !== 'rejected' && version.status !== 'archived';
  return isKept ? null : `version ${holder.version} holds it and is ${version?.status ?? 'not registered'}`;
}

/** How long a lease may need to notice that its holder has ended, where workers were stopped, too. */
const noticedMs = 120_000;

/** A lease whose holder has ended is about to hand over or to delete: what comes of that is what counts. */
async function viewSettledLease(observed: Observed, workflowId: string): Promise<LeaseView | null> {
  const deadline = Date.now() + noticedMs;
  for (;;) {
    const lease = await viewLease(observed, workflowId);
    const isHeldByNobody = lease?.holder?.kind === 'workflow' && (await hasEnded(observed, lease.holder));
    if (!isHeldByNobody || Date.now() > deadline) return lease;
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (lease.state === 'released') return lease;
  }
}

async function hasEnded({ client }: Observed, { workflowId, firstRunId }: WorkflowHolder): Promise<boolean> {
  const { status, raw } = await client.workflow.getHandle(workflowId).describe();
  return status.name !== 'RUNNING' || raw.workflowExecutionInfo?.firstRunId !== firstRunId;
}

async function viewLease({ client }: Observed, workflowId: string): Promise<LeaseView | null> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await client.workflow.getHandle(workflowId).query(leaseQuery);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      // Each poll that a stopped worker has left behind swallows a question.
      if (!(error instanceof ServiceError) || tries === queryTries) throw error;
    }
  }
}

const queryTries = 10;

/** I3. */
async function checkRegistry(
  { dependencies }: Observed,
  model: string,
  live: readonly SandboxResource[],
  versions: readonly ModelVersion[],
): Promise<Finding[]> {
  const kept = versions.filter(({ status }) => status !== 'rejected' && status !== 'archived');
  const registered = [
    ...kept.map(({ modelName }) => modelName),
    ...versions.flatMap(({ deployment }) => (deployment ? [deployment.name] : [])),
  ].sort();
  const existing = live.map(({ name }) => name).sort();
  const champions = versions.filter(({ status }) => status === 'champion');
  const alias = (await dependencies.registry.champion(model))?.version;
  const isSame = JSON.stringify(registered) === JSON.stringify(existing);
  return [
    finding('I3', isSame ? null : `the registry says [${registered}] of ${model}, the cloud [${existing}]`),
    finding('I3', champions.length <= 1 ? null : `${model} has ${champions.length} champions`),
    finding(
      'I3',
      alias === champions[0]?.version
        ? null
        : `the alias of ${model} points at version ${alias}, the champion is version ${champions[0]?.version}`,
    ),
  ];
}

/** I4. */
async function checkChampionAnswers({ dependencies }: Observed, model: string): Promise<Finding[]> {
  const champion = await dependencies.registry.champion(model);
  if (!champion?.deployment) return [];
  const { target, deploymentId } = champion.deployment;
  try {
    const answer = await dependencies.providers.inference.get(target)?.ask({
      modelId: deploymentId,
      system: null,
      turns: [{ role: 'user', text: 'Are you there?' }],
      maxTokens: 20,
      temperature: 0,
    });
    return [finding('I4', answer?.text ? null : `the champion of ${model} answered nothing`)];
  } catch (error) {
    return [finding('I4', `the champion of ${model} did not answer: ${String(error)}`)];
  }
}

/** I6. */
async function checkRowsCounted({ dependencies }: Observed, model: string): Promise<Finding[]> {
  const { objects, bucket } = dependencies;
  const manifests = (await objects.list(`s3://${bucket}/models/${model}/datasets/`)).filter((uri) =>
    uri.endsWith('/manifest.json'),
  );
  return Promise.all(
    manifests.map(async (uri) => {
      const { counts } = JSON.parse((await objects.getText(uri)) ?? '{}') as {
        counts: { read: number; accepted: number; dropped: Record<string, number> };
      };
      const dropped = Object.values(counts.dropped).reduce((sum, count) => sum + count, 0);
      const { accepted, read } = counts;
      const isCounted = accepted + dropped === read;
      return finding('I6', isCounted ? null : `${uri}: ${accepted} + ${dropped} is not ${read}`);
    }),
  );
}

export function isOf({ tags, name }: Pick<SandboxResource, 'tags' | 'name'>, model: string): boolean {
  return tags['anneal:model'] === model || name.startsWith(`${model}-`);
}

export function finding(invariant: Invariant, violation: string | null): Finding {
  return { invariant, violation };
}

/** One look that found any number of violations. */
export function findingsOf(invariant: Invariant, violations: readonly string[]): Finding[] {
  if (violations.length === 0) return [finding(invariant, null)];
  return violations.map((violation) => finding(invariant, violation));
}
