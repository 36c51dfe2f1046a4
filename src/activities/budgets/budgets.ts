import type { Budget, BudgetScope, BudgetStanding, ExceededBudget } from '../../domain/budget.js';
import type { Author } from '../registry/registry.js';

/** Who spends: a run of a model, perhaps started by a schedule. */
export interface Spender {
  readonly model: string;
  /** The schedule that started the run; null where none did. */
  readonly scheduleId: string | null;
}

/** A run: workflow ID and first execution run ID are its key, also after a reset. */
export interface BudgetedRun extends Spender {
  readonly author: Author;
  /** This execution's own run ID: another one after a reset. */
  readonly executionRunId: string;
}

export interface ReservationRequest extends BudgetedRun {
  readonly estimateUsd: number;
  /** The run's own budget; null where it has none. */
  readonly budgetUsd: number | null;
  /** Who approved it: then it is reserved whatever it passes. */
  readonly approvedBy: string | null;
}

export interface Reservation {
  readonly reserved: boolean;
  /** Every budget that the run passes; empty where it fits. */
  readonly exceeded: readonly ExceededBudget[];
}

/** A cost that is booked once, by its key, whoever books it first. */
export interface Booking {
  /** For what a lease protects: the lease's workflow ID. */
  readonly key: string;
  readonly what: string;
  readonly usd: number;
}

export interface Settlement extends BudgetedRun {
  /** What the run itself spent, without its bookings. */
  readonly spentUsd: number;
  readonly bookings: readonly Booking[];
}

/**
 * Limits that people set, and what runs reserve and spend. Everything that changes what is reserved or spent
 * happens one after the other, so that any number of simultaneous reservations never passes a limit together.
 * Every write is idempotent: repeated, also late, it changes nothing.
 */
export interface Budgets {
  /** Sets a limit, or changes it; what is reserved already stays reserved. */
  set(budget: Budget): Promise<void>;

  /** False when there was none. */
  remove(scope: BudgetScope, name: string): Promise<boolean>;

  /** Every budget with what counts against it: the account first, then models, then schedules. */
  list(): Promise<BudgetStanding[]>;

  /** What `neededUsd` more would pass, without reserving it. */
  check(spender: Spender, neededUsd: number): Promise<ExceededBudget[]>;

  /**
   * Reserves the estimate in every budget of the run, or in none of them. Natural key: the run. A run that
   * holds as much already keeps it, whatever has been reserved or limited since. A run that was reset after
   * its end needs at least what it has spent.
   */
  reserve(request: ReservationRequest): Promise<Reservation>;

  /** Books what a run spent and frees the rest of its reservation; fine for a run that reserved nothing. */
  settle(settlement: Settlement): Promise<void>;

  /** Books the whole reservation of a run that vanished without settling: what it spent at most. */
  settleVanished(run: Author): Promise<void>;

  /** Natural key: `booking.key`. Counts in the period of `at` (ISO-8601). */
  book(author: Author, spender: Spender, booking: Booking & { readonly at: string }): Promise<void>;
}
