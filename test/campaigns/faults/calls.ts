import type { FailureType } from '../../../src/domain/failures.js';
import type { JourneyName } from './journeys.js';

/** One call to the cloud that a kind of lifecycle makes, and what becomes of that when it never succeeds. */
export interface CloudCall {
  readonly journey: JourneyName;
  /** As in a fault rule. */
  readonly operation: string;
  /** Tells it from other calls of the same operation, as in a fault rule. */
  readonly match?: string;
  /** The first of the calls of this operation that is meant; 1 unless given. */
  readonly from?: number;
  readonly often: boolean;
  /** What the call is for, where the operation alone does not say it. */
  readonly what?: string;
  /** How a run ends in whose stage the call never succeeds; null where it is tried until it does. */
  readonly endsAs: FailureType | null;
  /** Nothing is bought yet, so that a missing permission is told at once. */
  readonly isBeforePurchase?: true;
}

type Part = Omit<CloudCall, 'journey'>;

const once = (operation: string, endsAs: FailureType | null, more: Partial<Part> = {}): Part => ({
  operation,
  often: false,
  endsAs,
  ...more,
});
const often = (operation: string, endsAs: FailureType | null, more: Partial<Part> = {}): Part => ({
  ...once(operation, endsAs, more),
  often: true,
});

/** Parts of ARNs: a call by name matches them, too, once what it names exists. */
const job = ':model-customization-job/';
const throughput = ':provisioned-model/';

/** Deletes are never given up. */
const deletesOfModel = [
  once('GetCustomModel', null),
  once('DeleteCustomModel', null),
  once('S3:ListObjectsV2', null),
  once('S3:DeleteObject', null),
];

const calls: Readonly<Record<JourneyName, readonly Part[]>> = {
  promoted: [
    often('S3:PutObject', null, { match: '/datasets/', what: 'dataset', isBeforePurchase: true }),
    often('GetModelCustomizationJob', 'TrainingFailed', { what: 'before the create' }),
    once('CreateModelCustomizationJob', 'TrainingFailed'),
    often('GetModelCustomizationJob', 'TrainingFailed', { match: job, from: 2, what: 'while it trains' }),
    often('GetCustomModelDeployment', 'DeploymentFailed', { what: 'before the create' }),
    once('CreateCustomModelDeployment', 'DeploymentFailed'),
    often('GetCustomModelDeployment', 'DeploymentFailed', {
      match: ':custom-model-deployment/',
      what: 'while it is created',
    }),
    once('Converse', 'DeploymentFailed', { what: 'does it answer' }),
    often('Converse', 'ValidationFailed', { from: 2, what: 'validation' }),
    once('S3:GetObject', 'ValidationFailed', { match: '/datasets/', what: 'manifest' }),
    once('S3:GetObject', 'ValidationFailed', { match: '/validations/', what: 'answers' }),
    often('S3:PutObject', 'ValidationFailed', { match: '/validations/', what: 'report' }),
    often('ListTagsForResource', null, { what: 'superseded' }),
    once('DeleteCustomModelDeployment', null, { what: 'superseded' }),
    ...deletesOfModel.map((part) => ({ ...part, what: 'superseded' })),
  ],
  rejected: [
    often('ListTagsForResource', null),
    once('DeleteCustomModelDeployment', null),
    ...deletesOfModel,
  ],
  cancelled: [
    often('ListTagsForResource', null),
    once('StopModelCustomizationJob', null),
    often('GetModelCustomizationJob', null, { match: job, from: 2, what: 'while it stops' }),
  ],
  'torn-down': [once('DeleteCustomModelDeployment', null), once('DeleteCustomModel', null)],
  bought: [
    often('GetProvisionedModelThroughput', 'DeploymentFailed', { what: 'before the create' }),
    once('CreateProvisionedModelThroughput', 'DeploymentFailed'),
    often('GetProvisionedModelThroughput', 'DeploymentFailed', {
      match: throughput,
      what: 'while it is created',
    }),
  ],
  'given-back': [once('DeleteProvisionedModelThroughput', null), often('ListTagsForResource', null)],
  swapped: [
    once('GetProvisionedModelThroughput', null, { what: 'before the swap' }),
    once('UpdateProvisionedModelThroughput', null),
    often('GetProvisionedModelThroughput', 'DeploymentFailed', { from: 2, what: 'while it swaps' }),
    once('Converse', 'DeploymentFailed', { match: throughput, what: 'after the swap' }),
  ],
  'rolled-back': [
    once('GetProvisionedModelThroughput', null, { what: 'before the swap' }),
    once('UpdateProvisionedModelThroughput', null),
    often('GetProvisionedModelThroughput', 'DeploymentFailed', { from: 2, what: 'while it swaps' }),
    once('Converse', 'DeploymentFailed', { match: throughput, what: 'after the swap' }),
  ],
};

export const cloudCalls: readonly CloudCall[] = (Object.keys(calls) as JourneyName[]).flatMap((journey) =>
  calls[journey].map((part) => ({ journey, ...part })),
);

/** `promoted Converse (validation)`. */
export function titleOf({ journey, operation, what }: CloudCall): string {
  return `${journey} ${operation}${what ? ` (${what})` : ''}`;
}
