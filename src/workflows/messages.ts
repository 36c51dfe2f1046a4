import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Extension, LeaseHolder, LeaseView } from '../domain/lease.js';
import type { RunStatus } from '../domain/run-state.js';

/** Every workflow type that can be started; public names, frozen. */
export const workflowTypes = [
  'fineTune',
  'buildDataset',
  'train',
  'convert',
  'deploy',
  'validate',
  'promote',
  'rollback',
  'teardown',
  'infer',
  'leaseResource',
  'sweepOrphans',
] as const;

export type WorkflowType = (typeof workflowTypes)[number];

/** What a person says to a run that waits for approval. */
export interface Decision {
  /** Who decides; kept in the run's state and details. */
  readonly by?: string;
  readonly notes?: string;
}

export const statusQuery = defineQuery<RunStatus>('status');
export const approveUpdate = defineUpdate<RunStatus, [Decision?]>('approve');
export const rejectUpdate = defineUpdate<RunStatus, [Decision?]>('reject');

export interface HandOver {
  readonly from: LeaseHolder;
  readonly to: LeaseHolder;
}

/** What deleting a leased resource came to. */
export interface ReleaseReport {
  readonly resource: string;
  /** Hours that the provider bills for, by its own clock; null where it bills by other measures. */
  readonly billedHours: number | null;
  readonly usd: number;
}

export const acquireUpdate = defineUpdate<LeaseView, [LeaseHolder]>('acquire');
export const handOverUpdate = defineUpdate<LeaseView, [HandOver]>('handOver');
export const releaseUpdate = defineUpdate<ReleaseReport, [LeaseHolder]>('release');
export const extendUpdate = defineUpdate<LeaseView, [Extension]>('extend');
export const recheckSignal = defineSignal('recheck');
export const leaseQuery = defineQuery<LeaseView>('lease');
