import {
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { FailureType } from '../domain/failures.js';
import type { LeasedResource, ModelHolder, WorkflowHolder } from '../domain/lease.js';
import { modelLock } from '../domain/lease.js';
import { formatUsd, roundUsd } from '../domain/money.js';
import { renderDetails } from '../domain/run-details.js';
import type { ApprovalPoint, ResolvedRunSpec } from '../domain/run-spec.js';
import {
  newRunState,
  type Outcome,
  type RunResult,
  type RunState,
  type Stage,
  type StageState,
  toResult,
  toStatus,
} from '../domain/run-state.js';
import { failWith, toRunFailure } from './failures.js';
import { approveUpdate, type Decision, rejectUpdate, statusQuery } from './messages.js';
import { leaseReleases, leases, registry } from './proxies.js';

interface Undo {
  readonly resource: LeasedResource;
  readonly what: string;
}

/**
 * One execution of a workflow that may buy things: its state as people see it, what it must give back, and
 * who is told. Workflows tell the story; this keeps the promises around it.
 */
export class Run {
  readonly state: RunState;
  readonly author = { workflowId: workflowInfo().workflowId, runId: workflowInfo().firstExecutionRunId };
  readonly identity = {
    workflowId: workflowInfo().workflowId,
    originalRunId: workflowInfo().originalExecutionRunId,
  };
  readonly holder: WorkflowHolder = {
    kind: 'workflow',
    workflowId: workflowInfo().workflowId,
    firstRunId: workflowInfo().firstExecutionRunId,
  };
  private readonly undos: Undo[] = [];
  private lock: LeasedResource | null = null;

  /** Registers the query and the updates, so it comes before the first `await` of a workflow. */
  constructor() {
    const { workflowId, workflowType, taskQueue } = workflowInfo();
    this.state = newRunState({ workflowId, workflowType, taskQueue });
    setHandler(statusQuery, () => toStatus(this.state), { description: 'Where the run stands.' });
    this.registerDecision('approved');
    this.registerDecision('rejected');
  }

  /** Makes what a resolved spec says visible. */
  adopt(spec: ResolvedRunSpec): ResolvedRunSpec {
    this.state.recipe = spec.recipe;
    this.state.model = spec.model;
    this.state.cloud = spec.cloud;
    this.state.budgetUsd = spec.budgetUsd;
    const approval = this.state.stages.find(({ name }) => name === 'approval');
    if (approval && spec.approval === 'none') {
      approval.status = 'skipped';
      approval.note = 'nobody is asked';
    }
    this.show();
    return spec;
  }

  /**
   * Runs the story and keeps the promises at its end: on a failure or a cancel everything bought is given
   * back, then the failure gets its stable type; the run lock is released in any case.
   */
  async settle(story: () => Promise<Outcome | null>): Promise<RunResult> {
    try {
      this.state.outcome = await story();
      this.show();
      return toResult(this.state);
    } catch (error) {
      const failure = toRunFailure(error, 'ValidationFailed');
      this.markEnd(failure);
      await this.forgetDeleted(await this.undoAll());
      upsertMemo({ undone: this.state.undone, spendUsd: toResult(this.state).spendUsd });
      this.show();
      throw this.withUndoReport(failure);
    } finally {
      await this.unlock();
    }
  }

  /** One lifecycle per model at a time: refused with the holder's name when somebody else works on it. */
  async lockModel(model: string): Promise<void> {
    const lock = modelLock(model);
    await CancellationScope.nonCancellable(() =>
      leases(`Lock model ${model}`).acquireLease(lock, this.holder),
    );
    this.lock = lock;
    throwIfCancelled();
  }

  /** Wraps one stage: shows it, gives its failures the stage's type. */
  async stage<T>(name: Stage, failureType: FailureType, body: (stage: StageState) => Promise<T>): Promise<T> {
    const stage = this.begin(name);
    try {
      const result = await body(stage);
      this.finish(stage, 'done');
      return result;
    } catch (error) {
      const failure = toRunFailure(error, failureType);
      this.finish(stage, isCancellation(error) ? 'cancelled' : 'failed');
      if (!isCancellation(error)) stage.note = failure.message.split('\n')[0] ?? '';
      throw failure;
    }
  }

  skip(name: Stage, note: string): void {
    const stage = this.begin(name);
    stage.note = note;
    this.finish(stage, 'skipped');
  }

  /**
   * Buys one paid resource: its lease first, then the undo, then the create, none of which a cancel can
   * tear; a cancel that arrived meanwhile takes effect right after, when the undo knows what to delete.
   */
  async purchase<T>(resource: LeasedResource, create: () => Promise<T>): Promise<T> {
    const created = await CancellationScope.nonCancellable(async () => {
      await leases(`Lease ${resource.kind} ${resource.name}`).acquireLease(resource, this.holder);
      this.undos.push({ resource, what: `delete ${resource.kind} ${resource.name}` });
      return create();
    });
    throwIfCancelled();
    return created;
  }

  /** Hands everything this run bought to the version it was bought for: nothing is left to undo. */
  async handOverTo(version: Pick<ModelHolder, 'model' | 'version'>): Promise<void> {
    const to: ModelHolder = { kind: 'model-version', model: version.model, version: version.version };
    await CancellationScope.nonCancellable(async () => {
      for (const { resource } of [...this.undos]) {
        await leases(`Hand over ${resource.name}`).handOverLease(resource, this.holder, to);
        this.undos.splice(0, 1);
      }
    });
  }

  /** Deletes what this run bought, last in first out; reports what was done and what could not be. */
  async undoAll(): Promise<LeasedResource[]> {
    const deleted: LeasedResource[] = [];
    await CancellationScope.nonCancellable(async () => {
      for (let undo = this.undos.pop(); undo; undo = this.undos.pop()) {
        if (await this.release(undo.resource, this.holder, undo.what)) deleted.push(undo.resource);
      }
    });
    return deleted;
  }

  /** Gives one resource back through its lease and books what it cost; false when it could not be. */
  async release(
    resource: LeasedResource,
    holder: WorkflowHolder | ModelHolder,
    what: string,
  ): Promise<boolean> {
    let isGone = false;
    try {
      const report = await leaseReleases(what).releaseLease(resource, holder);
      const hours = report.billedHours === null ? '' : ` (${report.billedHours.toFixed(2)} h billed)`;
      if (report.usd > 0) this.spend(`${resource.kind} ${resource.name}${hours}`, report.usd);
      this.state.undone.push({ what: `${what}${hours}`, problem: null });
      isGone = true;
    } catch (error) {
      this.state.undone.push({ what, problem: toRunFailure(error, 'TeardownIncomplete').message });
    }
    this.show();
    return isGone;
  }

  /** Fails when something that a completed run should have deleted is still there. */
  requireTeardown(): void {
    const left = this.state.undone.filter(({ problem }) => problem !== null);
    if (left.length === 0) return;
    const list = left.map(({ what, problem }) => `${what}: ${problem}`).join('; ');
    throw failWith(
      'TeardownIncomplete',
      `${list}. The leases keep trying; see temporal workflow list.`,
      left,
    );
  }

  spend(what: string, usd: number): void {
    if (usd > 0) this.state.spend.push({ what, usd: roundUsd(usd) });
  }

  /** Waits for a person; false when they reject or when nobody answers in time. */
  async approved(point: ApprovalPoint, spec: ResolvedRunSpec, question: string): Promise<boolean> {
    if (spec.approval !== point) return true;
    const stage = this.begin('approval');
    this.state.awaiting = question;
    stage.note = question;
    this.show();
    const { approvalHours } = spec.deadlines;
    await condition(() => this.state.approval !== null, approvalHours * 3_600_000);
    this.state.awaiting = null;
    const { approval } = this.state;
    const approved = approval?.decision === 'approved';
    stage.note = approval
      ? `${approval.decision} by ${approval.by}${approval.notes ? `: ${approval.notes}` : ''}`
      : `nobody answered in ${approvalHours} h; the default is to reject`;
    this.finish(stage, approved ? 'done' : 'failed');
    return approved;
  }

  note(name: Stage, note: string): void {
    const stage = this.state.stages.find((candidate) => candidate.name === name);
    if (stage) stage.note = note;
    this.show();
  }

  show(): void {
    setCurrentDetails(renderDetails(this.state));
  }

  private begin(name: Stage): StageState {
    const stage = this.state.stages.find((candidate) => candidate.name === name);
    if (!stage) throw failWith('ValidationFailed', `there is no stage "${name}"`);
    stage.status = 'running';
    this.state.stage = name;
    this.show();
    return stage;
  }

  private finish(stage: StageState, status: StageState['status']): void {
    stage.status = status;
    this.show();
  }

  private async unlock(): Promise<void> {
    const { lock } = this;
    if (!lock) return;
    await CancellationScope.nonCancellable(() =>
      leaseReleases(`Unlock model ${lock.name}`)
        .releaseLease(lock, this.holder)
        .catch((error: unknown) => {
          this.state.undone.push({ what: `unlock ${lock.name}`, problem: String(error) });
        }),
    );
  }

  /** The registry follows the cloud: a version whose model or deployment is gone is no candidate any more. */
  private async forgetDeleted(resources: readonly LeasedResource[]): Promise<void> {
    await CancellationScope.nonCancellable(async () => {
      for (const resource of resources) {
        const forget = registry(`Take ${resource.name} out of the registry`);
        await forget.forgetDeleted(this.author, resource, this.state.failure ?? '');
      }
    });
  }

  private markEnd(failure: Error): void {
    this.state.awaiting = null;
    this.state.failure = isCancellation(failure) ? 'Cancelled' : (failure.message.split('\n')[0] ?? '');
    this.show();
  }

  /** The original failure, and beside it what could not be undone. */
  private withUndoReport(failure: Error): Error {
    const left = this.state.undone.filter(({ problem }) => problem !== null);
    if (left.length === 0 || isCancellation(failure)) return failure;
    const list = left.map(({ what, problem }) => `${what}: ${problem}`).join('; ');
    failure.message = `${failure.message} Not undone: ${list}.`;
    return failure;
  }

  private registerDecision(decision: 'approved' | 'rejected'): void {
    const update = decision === 'approved' ? approveUpdate : rejectUpdate;
    setHandler(
      update,
      (input?: Decision) => {
        this.state.approval = { decision, by: input?.by ?? 'unnamed', notes: input?.notes ?? '' };
        this.show();
        return toStatus(this.state);
      },
      {
        description: `${decision === 'approved' ? 'Lets' : 'Stops'} a run that waits for approval; input {"by": "…", "notes": "…"}.`,
        validator: (input?: Decision) => this.refuseDecision(decision, input),
      },
    );
  }

  private refuseDecision(decision: string, input: unknown): void {
    const { approval, awaiting, stage } = this.state;
    if (approval) {
      throw failWith(
        'Conflict',
        `this run was ${approval.decision} by ${approval.by} already; it cannot be ${decision} now`,
      );
    }
    if (!awaiting) {
      throw failWith(
        'Conflict',
        `nothing waits for approval now (stage: ${stage ?? 'not started'}); the status query says what the run is doing`,
      );
    }
    const fields = typeof input === 'object' && input !== null ? Object.entries(input) : [];
    const odd = fields.find(([key, value]) => !['by', 'notes'].includes(key) || typeof value !== 'string');
    if (odd || (input !== undefined && (typeof input !== 'object' || Array.isArray(input)))) {
      throw failWith(
        'InvalidInput',
        `an approval takes {"by": "your name", "notes": "why"}, both text; found ${JSON.stringify(input).slice(0, 200)}`,
      );
    }
  }
}

/** Lets a cancel that arrived inside a non-cancellable scope take effect. */
export function throwIfCancelled(): void {
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('Workflow cancelled');
}

export function describePurchase(resource: LeasedResource): string {
  return `${resource.kind} ${resource.name} at ${formatUsd(resource.usdPerHour)} an hour`;
}
