import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { BudgetReservation } from '../activities/budgets/activities.js';
import type { DatasetManifest } from '../domain/dataset.js';
import { type CostItem, roundUsd, totalUsd } from '../domain/money.js';
import type { ResolvedRunSpec } from '../domain/run-spec.js';
import { budgets } from './proxies.js';

/** Set by the server on every run that a schedule starts. */
const startedBySchedule = { name: 'TemporalScheduledById', type: 'KEYWORD' } as const;

export interface ReserveInput {
  readonly spec: ResolvedRunSpec;
  /** Null where an existing version is only deployed. */
  readonly dataset: DatasetManifest | null;
  /** False where a model is only trained. */
  readonly deploys: boolean;
  readonly budgetUsd: number | null;
  readonly approvedBy: string | null;
}

/** A run's part of the budgets: reserved before it buys, booked and freed at its end, whatever that is. */
export class RunBudget {
  private hasReserved = false;
  /** Costs that a lease may book as well, by the key under which it does. */
  private readonly bookings = new Map<string, CostItem>();
  private readonly author = {
    workflowId: workflowInfo().workflowId,
    runId: workflowInfo().firstExecutionRunId,
  };

  /** Not torn by a cancel: what was reserved without anybody knowing would never be freed. */
  async reserve({ spec, dataset, deploys, budgetUsd, approvedBy }: ReserveInput): Promise<BudgetReservation> {
    this.hasReserved = true;
    const { deployment, prices, validation } = spec;
    return CancellationScope.nonCancellable(() =>
      budgets(approvedBy === null ? 'Reserve the budget' : 'Reserve the budget as approved').reserveBudget({
        ...this.run(spec.model),
        spec: { deployment, prices, validation },
        dataset: dataset && { trainingTokens: dataset.trainingTokens, training: dataset.training },
        deploys,
        budgetUsd,
        approvedBy,
      }),
    );
  }

  /** False when this was booked before: a commitment's term covers its hours. */
  book(key: string, item: CostItem): boolean {
    if (this.bookings.has(key)) return false;
    this.bookings.set(key, item);
    return true;
  }

  /** Books what the run spent and frees the rest; nothing to do for a run that neither reserved nor spent. */
  async settle({ model, spend }: { model: string; spend: readonly CostItem[] }): Promise<void> {
    if (!this.hasReserved && spend.length === 0) return;
    const bookings = [...this.bookings].map(([key, item]) => ({ key, ...item }));
    const spentUsd = Math.max(0, roundUsd(totalUsd(spend) - totalUsd(bookings)));
    await CancellationScope.nonCancellable(() =>
      budgets('Book what was spent').settleBudget({ ...this.run(model), spentUsd, bookings }),
    );
  }

  private run(model: string) {
    const { runId, typedSearchAttributes } = workflowInfo();
    const scheduleId = typedSearchAttributes.get(startedBySchedule) ?? null;
    return { author: this.author, executionRunId: runId, model, scheduleId };
  }
}
