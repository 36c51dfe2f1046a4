import type { RunSpec } from '../../../src/domain/run-spec.js';
import type { Lane } from '../support/world.js';

/**
 * What a person does to a run. `terminate-all` ends its leases, too, so that only the sweep is left;
 * `cancel-terminate` ends the run while it gives back what it bought, because of the cancel, and `cancel-reset` has
 * it begin again from before it bought that.
 */
export const actions = [
  'cancel',
  'terminate',
  'terminate-all',
  'cancel-terminate',
  'cancel-reset',
  'reset',
] as const;
export type Action = (typeof actions)[number];

/**
 * What is bought: a deployment that costs nothing by the hour; a throughput of another size than the
 * champion's, which has to go; a throughput of the champion's size, so that the candidate is swapped into it.
 */
export const scenarios = ['on-demand', 'provisioned', 'swap'] as const;
export type Scenario = (typeof scenarios)[number];

/** A moment of a lifecycle: as soon as this event stands in the run's history for the nth time. */
export interface Point {
  readonly name: string;
  readonly event: string;
  readonly nth: number;
}

const scheduled = (name: string, activity: string, nth = 1): Point => ({
  name,
  event: `ActivityTaskScheduled:${activity}`,
  nth,
});

const alwaysThere: readonly Point[] = [
  scheduled('lock', 'claimLease'),
  scheduled('dataset', 'buildDataset'),
  scheduled('budget', 'reserveBudget'),
  scheduled('training-lease', 'acquireLease'),
  scheduled('submit', 'submitTrainingJob'),
  scheduled('training-wait', 'awaitTrainingJob'),
  scheduled('register', 'registerVersion'),
  scheduled('deployment-lease', 'acquireLease', 2),
  scheduled('deployment-create', 'createDeployment'),
  scheduled('deployment-wait', 'awaitDeployment'),
  scheduled('validation', 'evaluateModel'),
  { name: 'approval-wait', event: 'TimerStarted', nth: 1 },
  scheduled('promotion', 'promoteVersion'),
  scheduled('hand-over', 'handOverLease'),
];

const onlyInSwaps: readonly Point[] = [
  scheduled('swap', 'pointDeployment'),
  scheduled('swap-wait', 'awaitSwap'),
];

export function pointsOf(scenario: Scenario): readonly Point[] {
  return scenario === 'swap' ? [...alwaysThere, ...onlyInSwaps] : alwaysThere;
}

/** Where a run that is cancelled has something to give back, and does so. */
const withPurchases = ['training-wait', 'register', 'deployment-wait', 'validation', 'approval-wait'];

function isPlayed(action: Action, { name }: Point): boolean {
  return !['cancel-terminate', 'cancel-reset'].includes(action) || withPurchases.includes(name);
}

/** From here on a run finishes what it does, because a half promotion would serve nobody. */
export const firstOfPromotion = ['pointDeployment', 'promoteVersion'];

export interface PointCase {
  readonly kind: 'point';
  readonly name: string;
  readonly affinity: Scenario;
  readonly scenario: Scenario;
  readonly point: Point;
  readonly action: Action;
}

export function pointCases(): PointCase[] {
  return scenarios.flatMap((scenario) =>
    pointsOf(scenario).flatMap((point) =>
      actions
        .filter((action) => isPlayed(action, point))
        .map((action) => ({
          kind: 'point' as const,
          name: `${scenario}/${action}/${point.name}`,
          affinity: scenario,
          scenario,
          point,
          action,
        })),
    ),
  );
}

/** What is created while somebody cancels or terminates, and how the create is drawn out. */
export const creations = ['job', 'deployment', 'throughput'] as const;
export type Creation = (typeof creations)[number];
export const flights = ['slow', 'lostReply', 'zombie', 'hanging'] as const;
export type Flight = (typeof flights)[number];

export interface FlightCase {
  readonly kind: 'flight';
  readonly name: string;
  readonly affinity: Scenario;
  readonly scenario: Scenario;
  readonly creation: Creation;
  readonly flight: Flight;
  readonly action: 'cancel' | 'terminate';
}

export function flightCases(): FlightCase[] {
  return creations.flatMap((creation) =>
    flights
      .filter((flight) => flight !== 'hanging')
      .flatMap((flight) =>
        (['cancel', 'terminate'] as const).map((action) => flightCase(creation, flight, action)),
      ),
  );
}

/** A create that the client itself gives up and sends again, as late as it can: minutes, so only in the long version. */
export function hangingCases(): FlightCase[] {
  return creations.map((creation) => flightCase(creation, 'hanging', 'terminate'));
}

function flightCase(creation: Creation, flight: Flight, action: FlightCase['action']): FlightCase {
  const scenario = creation === 'throughput' ? 'provisioned' : 'on-demand';
  const name = `${creation}/${flight}/${action}`;
  return { kind: 'flight', name, affinity: scenario, scenario, creation, flight, action };
}

/** The champion of a lane's model, and what a candidate is to buy so that the scenario comes about. */
export function specOf(lane: Lane, model: string, scenario: Scenario, units: number): RunSpec {
  const deployment =
    scenario === 'on-demand'
      ? { target: 'bedrock-on-demand' }
      : { target: 'bedrock-provisioned', settings: { modelUnits: units } };
  return lane.smallRun(model, { deployment });
}
