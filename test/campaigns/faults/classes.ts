import type { FailureType } from '../../../src/domain/failures.js';
import { createOperations } from '../../../src/sandbox/faults/operations.js';
import { type Cell, faults } from './cells.js';
import { journeyOf } from './journeys.js';

/** The right ways to end for a lifecycle that met a fault. */
export const classes = {
  retried: 'R: ended as without the fault',
  adopted: 'A: the reply to a create was lost, the one thing that was bought is used',
  healed: 'W: waited where people can see it, and went on once the fault was gone',
  failed: 'F: failed with the type of its stage, and gave everything back',
  'fell-back': 'B: the champion was put back',
  blocked: 'K: a delete or an update that the cloud never finishes: waits where people can see it',
} as const;

export type Class = keyof typeof classes;

/** What a cell is to end as, and when its fault is lifted: never, once it is seen, or once a stage has failed. */
export interface Expectation {
  readonly class: Class;
  readonly failure: FailureType | null;
  readonly lift: 'never' | 'when-seen' | 'when-failed';
  /** Whether a deadline of the run has to pass. */
  readonly byDeadline: boolean;
}

const as = (name: Class, more: Partial<Expectation> = {}): Expectation => ({
  class: name,
  failure: null,
  lift: 'never',
  byDeadline: false,
  ...more,
});

/** Somebody or time mends these. */
const obstacles: readonly string[] = ['throttle', 'accessDenied', 'expiredToken', 'capacity'];
/** After these the call has taken effect. */
const afterCommit: readonly string[] = ['timeoutAfterCommit', 'malformedBody'];
/** They end by themselves, or change nothing. */
const passing: readonly string[] = ['slow', 'staleList', 'notFoundAfterCreate', 'backwards'];

/** The rules, in order; the first that applies decides. */
export function expectationOf(cell: Cell): Expectation {
  const { call, position } = cell;
  const { kind } = faults[cell.fault];
  const { operation, endsAs } = call;
  const isCreate = (createOperations as readonly string[]).includes(operation);
  const changesOnce = isCreate || /^(Update|Delete|Stop)/.test(operation) || operation === 'S3:DeleteObject';

  if (isFailingResource(kind)) return expectationOfResource(cell, kind);
  if (passing.includes(kind)) return as('retried');
  if (call.isBeforePurchase && (kind === 'accessDenied' || kind === 'expiredToken')) {
    // The SDK sends a refused call again where the service's clock is far from its own, as a scaled one is.
    return position === 'always' ? as('failed', { failure: 'ProviderRejected' }) : as('retried');
  }
  if (isCreate && afterCommit.includes(kind)) return as('adopted');
  if (changesOnce && afterCommit.includes(kind)) return as('retried');
  if (position !== 'always') return as('retried');
  if (obstacles.includes(kind) || endsAs === null) return as('healed', { lift: 'when-seen' });
  return as('failed', { failure: endsAs, lift: 'when-failed', byDeadline: true });
}

function isFailingResource(kind: string): boolean {
  return ['stuck', 'jobFailed', 'completedWithoutArtifact', 'deploymentFailed'].includes(kind);
}

/** Faults that stay with what was created or changed, whoever asks for it. */
function expectationOfResource({ call, fault }: Cell, kind: string): Expectation {
  const { operation, journey } = call;
  if (/^(Stop|Delete)/.test(operation)) return as('blocked');
  if (operation.startsWith('Update')) {
    if (kind === 'stuck') return as('blocked', { byDeadline: true });
    const isRollback = journeyOf(journey).workflow === 'rollback';
    return isRollback ? as('failed', { failure: 'DeploymentFailed' }) : as('fell-back');
  }
  // The job names a model that is not there: whoever wants to serve it is the first to hear that.
  if (fault === 'no-artifact-made') return as('failed', { failure: 'ProviderRejected' });
  const failure = operation === 'CreateModelCustomizationJob' ? 'TrainingFailed' : 'DeploymentFailed';
  return as('failed', { failure, byDeadline: kind === 'stuck' });
}

/** What a cell's lifecycle did, as far as its class depends on it. */
export interface Ended {
  /** Its outcome, `cancelled`, or the type of its failure; null when it did not end. */
  readonly word: string | null;
  readonly failed: boolean;
  /** How the same lifecycle ends when nobody disturbs it. */
  readonly undisturbed: string;
  /** What people could see of the fault before it was lifted; null when it was not lifted. */
  readonly seen: string | null;
  readonly lostReplyOfCreate: boolean;
}

/** The class that a lifecycle has shown; null for one that is none of them. */
export function classOf(ended: Ended): Class | null {
  const { word, failed, undisturbed, seen, lostReplyOfCreate } = ended;
  if (word === null) return seen === null ? null : 'blocked';
  if (failed) return 'failed';
  if (word !== undisturbed) return word === 'rolledBack' ? 'fell-back' : null;
  if (seen !== null) return 'healed';
  return lostReplyOfCreate ? 'adopted' : 'retried';
}

/** A cell's letter in the table. */
export function letterOf(name: Class): string {
  return classes[name].charAt(0);
}
