import type { RunSpec } from '../../../src/domain/run-spec.js';
import type { FaultScript } from '../../../src/sandbox/faults/script.js';
import type { Ending } from '../../support/service.js';
import type { Lane } from '../support/world.js';

export const targets = ['bedrock-on-demand', 'bedrock-provisioned'] as const;
export const outcomes = ['promoted', 'rejected', 'cancelled', 'failed'] as const;
export type Target = (typeof targets)[number];
export type PathOutcome = (typeof outcomes)[number];

/** One way through a lifecycle: where the model is served, and how the run is made to end. */
export interface Path {
  readonly target: Target;
  readonly outcome: PathOutcome;
  /** Each lane keeps the models of one target. */
  readonly affinity: Target;
}

export const paths: readonly Path[] = targets.flatMap((target) =>
  outcomes.map((outcome) => ({ target, outcome, affinity: target })),
);

export function nameOf({ target, outcome }: Path): string {
  return `${target}/${outcome}`;
}

export function specOf(lane: Lane, model: string, { target, outcome }: Path): RunSpec {
  return lane.smallRun(model, {
    deployment: { target },
    validation: { samples: 1, ...(outcome === 'rejected' && { policy: 'unreachable' }) },
  });
}

/** Whatever is created to serve the candidate fails. */
const failingDeployment: FaultScript = {
  faults: ['CreateCustomModelDeployment', 'CreateProvisionedModelThroughput'].map((operation) => ({
    operation,
    nth: 1,
    fault: { kind: 'deploymentFailed' },
  })),
};

export function faultsOf({ outcome }: Path): FaultScript | null {
  return outcome === 'failed' ? failingDeployment : null;
}

/** Cancelled as soon as the run waits for its deployment: both the model and the deployment must go. */
export function isToBeCancelled({ outcome }: Path, events: readonly string[]): boolean {
  return outcome === 'cancelled' && events.includes('ActivityTaskScheduled:awaitDeployment');
}

/** What is wrong with how a run of this path ended; null when nothing is. */
export function wrongEnd({ outcome }: Path, ending: Ending): string | null {
  const isRight =
    ending.closed === 'completed'
      ? ending.result.outcome === outcome
      : ending.closed === outcome && (outcome !== 'failed' || ending.type === 'DeploymentFailed');
  if (isRight) return null;
  const found = ending.closed === 'completed' ? ending.result.outcome : `${ending.type}: ${ending.message}`;
  return `the run should have been ${outcome} and ended ${ending.closed}: ${found}`;
}
