import { randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { RunSpec } from '../../../src/domain/run-spec.js';
import type { Outcome } from '../../../src/domain/run-state.js';
import type { FaultScript } from '../../../src/sandbox/faults/script.js';
import type { Ending } from '../../support/service.js';
import type { Lane } from '../support/world.js';

type Target = 'bedrock-on-demand' | 'bedrock-provisioned';
type Rule = FaultScript['faults'][number];
export type Deadlines = NonNullable<RunSpec['deadlines']>;

/** A kind of lifecycle: what it starts from, what it does, and how it ends when nobody disturbs it. */
export interface Journey {
  readonly target: Target;
  /** `standing`: the model has a champion and a previous champion; `fresh`: it has no version yet. */
  readonly from: 'standing' | 'fresh';
  readonly workflow: 'fineTune' | 'rollback' | 'teardown';
  readonly ends: Outcome | 'cancelled';
  /** Laid on every play of it. */
  readonly companions?: readonly Rule[];
}

const onDemand = { target: 'bedrock-on-demand', from: 'standing', workflow: 'fineTune' } as const;
const provisioned = { target: 'bedrock-provisioned', from: 'standing', workflow: 'fineTune' } as const;

export const journeys = {
  promoted: { ...onDemand, ends: 'promoted' },
  rejected: { ...onDemand, ends: 'rejected' },
  // A job that does not end, so that there is one to be stopped.
  cancelled: {
    ...onDemand,
    ends: 'cancelled',
    companions: [{ operation: 'CreateModelCustomizationJob', nth: 1, fault: { kind: 'stuck' } }],
  },
  'torn-down': { ...onDemand, workflow: 'teardown', ends: 'tornDown' },
  bought: { ...provisioned, from: 'fresh', ends: 'promoted' },
  'given-back': { ...provisioned, from: 'fresh', ends: 'rejected' },
  swapped: { ...provisioned, ends: 'promoted' },
  'rolled-back': { ...provisioned, workflow: 'rollback', ends: 'rolledBack' },
} as const satisfies Record<string, Journey>;

export type JourneyName = keyof typeof journeys;

export function journeyOf(name: JourneyName): Journey {
  return journeys[name];
}

/** Long enough for a crowded machine: a deadline that passes is a finding. */
export const generous: Deadlines = {
  purchaseHours: 0.05,
  trainingHours: 0.05,
  deploymentMinutes: 3,
  validationMinutes: 3,
};

/** Starts a journey; the fault script must be in force by then. */
export async function startJourney(
  lane: Lane,
  model: string,
  { target, workflow, ends }: Journey,
  deadlines: Deadlines = generous,
): Promise<WorkflowHandle> {
  const validation = { samples: 6, ...(ends === 'rejected' && { policy: 'unreachable' }) };
  const input =
    workflow === 'fineTune'
      ? lane.smallRun(model, { deployment: { target }, validation, deadlines })
      : { model, deadlines };
  return lane.client.workflow.start(workflow, {
    taskQueue: lane.taskQueue,
    workflowId: `faults/${model}/${randomBytes(4).toString('hex')}`,
    args: [input],
  });
}

/** How a workflow ended, in a word: its outcome, `cancelled`, or the type of its failure. */
export function wordOf(ending: Ending): string {
  if (ending.closed === 'completed') return ending.result.outcome ?? 'nothing';
  return ending.closed === 'failed' ? ending.type : ending.closed;
}

/** The models that a lane's cells work on: those of standing journeys are used again until a violation. */
export class StandingModels {
  readonly #models = new Map<string, string>();

  async modelFor(lane: Lane, journey: Journey, signal: AbortSignal): Promise<string> {
    if (journey.from === 'fresh') return lane.newModel();
    const key = `${lane.index} ${journey.target}`;
    const model = this.#models.get(key) ?? lane.newModel();
    this.#models.delete(key);
    for (;;) {
      signal.throwIfAborted();
      const versions = await lane.dependencies.registry.versions(model);
      const has = (status: string) => versions.some((version) => version.status === status);
      if (has('champion') && has('previous')) break;
      await this.#promote(lane, model, journey.target);
    }
    this.#models.set(key, model);
    return model;
  }

  discard(lane: Lane, { target }: Journey): void {
    this.#models.delete(`${lane.index} ${target}`);
  }

  async #promote(lane: Lane, model: string, target: Target): Promise<void> {
    const journey: Journey = { target, from: 'standing', workflow: 'fineTune', ends: 'promoted' };
    const ending = await lane.endOf(await startJourney(lane, model, journey));
    const left = await lane.settle(model);
    if (wordOf(ending) === 'promoted' && left.length === 0) return;
    throw new Error(`An undisturbed lifecycle ended ${JSON.stringify(ending)} and left [${left}]`);
  }
}
