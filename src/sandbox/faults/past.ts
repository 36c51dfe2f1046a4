import { applyEvent, emptyState, type State } from '../state.js';
import type { World } from '../world.js';

/** What a list shows, by the events that change it. */
const mutations: Readonly<Record<string, readonly string[]>> = {
  ListModelCustomizationJobs: ['job.created', 'job.stopRequested'],
  ListCustomModels: ['model.created', 'model.deleted'],
  ListProvisionedModelThroughputs: ['throughput.created', 'throughput.updated', 'throughput.deleted'],
  ListCustomModelDeployments: ['deployment.created', 'deployment.updated', 'deployment.deleted'],
  ListTagsForResource: ['tags.set'],
  ListTrainingJobs: ['trainingJob.created', 'trainingJob.stopRequested'],
  ListTags: ['tags.set'],
};

/** The world as it was at a time, to be read only: clock and state stand still there. */
export function worldAt(world: World, at: number): World {
  // A job's end is recorded with its own time when somebody looks: the order is that of recording.
  const later = world.history.findIndex((event) => event.at > at);
  return view(world, later < 0 ? world.history.length : later, at);
}

/** The world as it was before the last mutations of what an operation lists. */
export function worldBefore(world: World, operation: string, count: number): World {
  const changes = world.history.flatMap((event, index) =>
    mutations[operation]?.includes(event.type) ? [index] : [],
  );
  const first = changes.at(-count) ?? changes[0];
  if (first === undefined) return world;
  return view(world, first, world.history[first]?.at ?? world.now());
}

interface Replayed {
  readonly state: State;
  applied: number;
}

/** Looks into the past mostly go forward: each goes on from the state of the one before. */
const replays = new WeakMap<World, Replayed>();

function view(world: World, count: number, at: number): World {
  const known = replays.get(world);
  const replayed: Replayed =
    known && known.applied <= count ? known : { state: emptyState(world.settings.readings), applied: 0 };
  for (const event of world.history.slice(replayed.applied, count)) applyEvent(replayed.state, event);
  replayed.applied = count;
  replays.set(world, replayed);
  return Object.create(world, {
    state: { value: replayed.state },
    now: { value: () => at },
  }) as World;
}
