import type { DatasetManifest } from '../../domain/dataset.js';
import type { WorkflowHolder } from '../../domain/lease.js';
import type { CostEstimate } from '../../domain/money.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { currentWorkflow } from '../current-workflow.js';
import { estimateCost } from '../run-spec/estimate.js';
import type { Booking, BudgetedRun, Budgets, Reservation, Settlement } from './budgets.js';

export interface ReserveBudgetInput extends BudgetedRun {
  readonly spec: Pick<ResolvedRunSpec, 'deployment' | 'prices' | 'validation'>;
  /** What is trained on; null where an existing version is only deployed. */
  readonly dataset: Pick<DatasetManifest, 'trainingTokens' | 'training'> | null;
  /** False where a model is only trained. */
  readonly deploys: boolean;
  /** The run's own budget; null where it has none. */
  readonly budgetUsd: number | null;
  /** Who approved it although it passes a budget; null before anybody was asked. */
  readonly approvedBy: string | null;
}

export interface BudgetReservation extends Reservation {
  readonly estimate: CostEstimate;
}

export interface BookSpendInput extends Booking {
  readonly model: string;
  /** When it was spent, ISO-8601: decides the month that it counts in. */
  readonly at: string;
}

export type BudgetActivities = ReturnType<typeof createBudgetActivities>;

export function createBudgetActivities({ budgets }: { budgets: Budgets }) {
  return {
    /** Estimates what a run will cost and reserves that in all of its budgets, or in none. */
    async reserveBudget({ spec, dataset, deploys, ...run }: ReserveBudgetInput): Promise<BudgetReservation> {
      const estimate = estimateCost(spec, dataset, deploys);
      return { ...(await budgets.reserve({ ...run, estimateUsd: estimate.totalUsd })), estimate };
    },

    /** Books what a run spent and frees the rest. */
    async settleBudget(settlement: Settlement): Promise<void> {
      await budgets.settle(settlement);
    },

    /** For the run lock's lease: books the whole reservation of a run that ended without settling. */
    async settleVanished(holder: WorkflowHolder): Promise<void> {
      await budgets.settleVanished({ workflowId: holder.workflowId, runId: holder.firstRunId });
    },

    /** For leases: books what a resource came to, once for each key. */
    async bookSpend({ model, ...booking }: BookSpendInput): Promise<void> {
      await budgets.book(currentWorkflow(), { model, scheduleId: null }, booking);
    },
  };
}
