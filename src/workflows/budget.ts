import { describeExceeded, type ExceededBudget } from '../domain/budget.js';
import type { DatasetManifest } from '../domain/dataset.js';
import { type LeasedResource, leaseWorkflowId } from '../domain/lease.js';
import { formatUsd } from '../domain/money.js';
import type { ResolvedRunSpec } from '../domain/run-spec.js';
import { failWith } from './failures.js';
import { throwIfCancelled } from './purchases.js';
import type { Run } from './run.js';

/** What a story is about to spend money on. */
interface Intent {
  readonly spec: ResolvedRunSpec;
  /** What is trained on; null where an existing version is only deployed. */
  readonly dataset: DatasetManifest | null;
  /** False where a model is only trained. */
  readonly deploys: boolean;
}

/**
 * Reserves what the run will cost, and asks a person first where the spec says so, where a budget is
 * exceeded or where a commitment is bought: one question for all of it. False when they say no.
 */
export async function mayTrain(
  run: Run,
  spec: ResolvedRunSpec,
  dataset: DatasetManifest,
  { deploys }: Pick<Intent, 'deploys'>,
): Promise<boolean> {
  const intent = { spec, dataset, deploys };
  const exceeded = await reserve(run, intent, null);
  const isAsked = spec.approval === 'before-training';
  if (!isAsked && exceeded.length === 0 && !commits(intent)) return true;
  const estimate = formatUsd(run.state.estimate?.totalUsd ?? 0);
  const subject = `approve training of ${spec.model} on ${dataset.records} records for about ${estimate}`;
  return isApproved(run, intent, subject, exceeded);
}

/** The same for a version that exists and is only deployed. */
export async function mayDeploy(run: Run, spec: ResolvedRunSpec): Promise<boolean> {
  const intent = { spec, dataset: null, deploys: true };
  const exceeded = await reserve(run, intent, null);
  if (exceeded.length === 0 && !commits(intent)) return true;
  return isApproved(run, intent, deploymentSubject(run, spec), exceeded);
}

/** Asks only where a commitment is bought: no budget stands in the way of bringing a champion back. */
export async function mayCommit(run: Run, spec: ResolvedRunSpec): Promise<boolean> {
  const intent = { spec, deploys: true };
  if (!commits(intent)) return true;
  return (await run.ask(question(deploymentSubject(run, spec), intent, []), spec)) === 'approved';
}

/** A commitment costs its whole term from the moment it is bought; its hours are not booked again. */
export function bookCommitment(run: Run, spec: ResolvedRunSpec, resource: LeasedResource): void {
  const { commitmentUsd } = spec.prices;
  if (commitmentUsd === null) return;
  run.spend(`commitment of ${resource.name}: the whole term`, commitmentUsd, leaseWorkflowId(resource));
}

async function reserve(
  run: Run,
  intent: Intent,
  approvedBy: string | null,
): Promise<readonly ExceededBudget[]> {
  // What is only deployed has no budget of its own: its input names none.
  const budgetUsd = intent.dataset && intent.spec.budgetUsd;
  const { estimate, exceeded } = await run.budget.reserve({ ...intent, budgetUsd, approvedBy });
  run.state.estimate = estimate;
  run.show();
  throwIfCancelled();
  return exceeded;
}

async function isApproved(
  run: Run,
  intent: Intent,
  subject: string,
  exceeded: readonly ExceededBudget[],
): Promise<boolean> {
  const answer = await run.ask(question(subject, intent, exceeded), intent.spec);
  if (exceeded.length === 0) return answer === 'approved';
  if (answer === 'unanswered') throw budgetExceeded(intent.spec, exceeded);
  if (answer === 'approved') await reserve(run, intent, run.state.approval?.by ?? 'unnamed');
  return answer === 'approved';
}

function commits({ spec, deploys }: Pick<Intent, 'spec' | 'deploys'>): boolean {
  return deploys && spec.prices.commitmentUsd !== null;
}

function question(
  subject: string,
  intent: Pick<Intent, 'spec' | 'deploys'>,
  exceeded: readonly ExceededBudget[],
): string {
  const price = formatUsd(intent.spec.prices.commitmentUsd ?? 0);
  const commitment = `this buys a commitment of ${price} that cannot be ended before its term`;
  const reasons = [...exceeded.map(describeExceeded), ...(commits(intent) ? [commitment] : [])];
  return reasons.length === 0 ? subject : `${subject}: ${reasons.join('; ')}`;
}

function deploymentSubject({ state }: Run, { model, deployment }: ResolvedRunSpec): string {
  return `approve deployment of ${model} version ${state.version} on ${deployment.target}`;
}

function budgetExceeded({ deadlines }: ResolvedRunSpec, exceeded: readonly ExceededBudget[]) {
  const reasons = exceeded.map(describeExceeded).join('; ');
  return failWith(
    'BudgetExceeded',
    `${reasons}. Nobody approved it in ${deadlines.approvalHours} h. Nothing was bought. Raise the budget (budgetUsd, or anneal budget set), train on fewer records or epochs, or approve the next run.`,
    [...exceeded],
  );
}
