import {
  ApplicationFailure,
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
import { type LeasedResource, modelLock, sameHolder, type WorkflowHolder } from '../domain/lease.js';
import { roundUsd } from '../domain/money.js';
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
import { Purchases, throwIfCancelled } from './purchases.js';
import { RunBudget } from './run-budget.js';
import { lockedByOther } from './run-lock.js';
import { indexRun } from './search-attributes.js';

/** What a person said to a question, if anything. */
export type Answer = 'approved' | 'rejected' | 'unanswered';

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
  readonly purchases: Purchases;
  readonly budget = new RunBudget();
  private lock: LeasedResource | null = null;
  private searchAttributes = false;

  /** Registers the query and the updates, so it comes before the first `await` of a workflow. */
  constructor() {
    const { workflowId, workflowType, taskQueue } = workflowInfo();
    this.state = newRunState({ workflowId, workflowType, taskQueue });
    this.purchases = new Purchases(this);
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
    this.searchAttributes = spec.searchAttributes;
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
  async settle(story: () => Promise<Outcome | RunResult>): Promise<RunResult> {
    try {
      const end = await story();
      if (typeof end !== 'string') return end;
      this.state.outcome = end;
      this.show();
      return toResult(this.state);
    } catch (error) {
      const failure = asEnd(error);
      this.markEnd(failure);
      await this.forgetDeleted(await this.purchases.undoAll());
      upsertMemo({ undone: this.state.undone, spendUsd: toResult(this.state).spendUsd });
      this.show();
      throw this.withUndoReport(failure);
    } finally {
      await this.budget.settle(this.state);
      await this.unlock();
    }
  }

  /**
   * One lifecycle per model at a time. What happens while another has it, the run spec says: `refuse` fails
   * with its name, `wait` waits for its end, `join` returns its result. Null where the lock is ours.
   */
  async lockModel(spec: ResolvedRunSpec): Promise<RunResult | null> {
    const lock = modelLock(spec.model);
    this.lock = lock;
    const claim = leases(`Lock model ${spec.model}`);
    const owner = await CancellationScope.nonCancellable(() => claim.claimLease(lock, this.holder));
    throwIfCancelled();
    if (sameHolder(owner, this.holder)) return null;
    return lockedByOther(this, lock, owner, spec);
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

  /** `key` names what is booked only once, whether by this run or by a lease. */
  spend(what: string, usd: number, key: string | null = null): void {
    const item = { what, usd: roundUsd(usd) };
    if (usd <= 0 || (key !== null && !this.budget.book(key, item))) return;
    this.state.spend.push(item);
  }

  /** Asks a person where the run spec wants one to be asked; false when they reject or nobody answers. */
  async approved(point: ApprovalPoint, spec: ResolvedRunSpec, question: string): Promise<boolean> {
    return spec.approval !== point || (await this.ask(question, spec)) === 'approved';
  }

  /** Waits for a person's `approve` or `reject`, whatever the run spec says about approvals. */
  async ask(question: string, spec: Pick<ResolvedRunSpec, 'deadlines'>): Promise<Answer> {
    const stage = this.begin('approval');
    const { state } = this;
    Object.assign(state, { awaiting: question, approval: null });
    stage.note = question;
    this.show();
    const { approvalHours } = spec.deadlines;
    await condition(() => state.approval !== null, approvalHours * 3_600_000);
    state.awaiting = null;
    const { approval } = state;
    stage.note = approval
      ? `${approval.decision} by ${approval.by}${approval.notes ? `: ${approval.notes}` : ''}`
      : `nobody answered in ${approvalHours} h; the default is to reject`;
    const answer = approval?.decision ?? 'unanswered';
    this.finish(stage, answer === 'approved' ? 'done' : 'failed');
    return answer;
  }

  note(name: Stage, note: string): void {
    const stage = this.state.stages.find((candidate) => candidate.name === name);
    if (stage) stage.note = note;
    this.show();
  }

  show(): void {
    setCurrentDetails(renderDetails(this.state));
  }

  /** Costs an event, so only where something that people search by has changed. */
  private index(): void {
    if (this.searchAttributes) indexRun(this.state);
  }

  private begin(name: Stage): StageState {
    const stage = this.state.stages.find((candidate) => candidate.name === name);
    if (!stage) throw failWith('ValidationFailed', `there is no stage "${name}"`);
    stage.status = 'running';
    this.state.stage = name;
    this.show();
    this.index();
    return stage;
  }

  private finish(stage: StageState, status: StageState['status']): void {
    stage.status = status;
    this.show();
  }

  /** Fine when somebody else has the lock: then it never was ours. */
  private async unlock(): Promise<void> {
    const { lock } = this;
    this.index();
    if (!lock) return;
    await CancellationScope.nonCancellable(async () => {
      try {
        await leaseReleases(`Unlock model ${lock.name}`).releaseLease(lock, this.holder);
      } catch (error) {
        const failure = toRunFailure(error, 'TeardownIncomplete');
        if (failure instanceof ApplicationFailure && failure.type === 'Conflict') return;
        this.state.undone.push({ what: `unlock ${lock.name}`, problem: failure.message });
      }
    });
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

/** Whatever a cancel met on its way, the run was cancelled: an attempt that failed meanwhile changes nothing. */
function asEnd(error: unknown): Error {
  if (CancellationScope.current().consideredCancelled && !isCancellation(error)) {
    return new CancelledFailure('Workflow cancelled');
  }
  return toRunFailure(error, 'ValidationFailed');
}
