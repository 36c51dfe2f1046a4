import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxEvent } from '../events.js';
import { applyEvent, emptyState, type State } from '../state.js';
import type { World } from '../world.js';

/** What a list shows, by the events that change it. */
const mutations: Readonly<Record<string, readonly string[]>> = {
  ListModelCustomizationJobs: ['job.created', 'job.stopRequested'],
  ListCustomModels: ['model.created', 'model.deleted'],
  ListProvisionedModelThroughputs: ['throughput.created', 'throughput.updated', 'throughput.deleted'],
  ListCustomModelDeployments: ['deployment.created', 'deployment.updated', 'deployment.deleted'],
  ListTagsForResource: ['tags.set'],
};

/** The world as it was at a time, to be read only: clock and state stand still there. */
export function worldAt(world: World, at: number): World {
  const events = eventsOf(world).filter((event) => event.at <= at);
  return view(world, events, at);
}

/** The world as it was before the last mutations of what an operation lists. */
export function worldBefore(world: World, operation: string, count: number): World {
  const events = eventsOf(world);
  const changes = events.flatMap((event, index) =>
    mutations[operation]?.includes(event.type) ? [index] : [],
  );
  const first = changes.at(-count) ?? changes[0];
  if (first === undefined) return world;
  return view(world, events.slice(0, first), events[first]?.at ?? world.now());
}

function view(world: World, events: readonly SandboxEvent[], at: number): World {
  const state: State = emptyState();
  for (const event of events) applyEvent(state, event);
  return Object.create(world, { state: { value: state }, now: { value: () => at } }) as World;
}

/** What the journal holds of Bedrock; objects and requests are most of it and are not listed. */
function eventsOf(world: World): SandboxEvent[] {
  return readFileSync(join(world.stateDirectory, 'journal.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !/"type":"(object|upload|invoked|bucket)[."]/.test(line))
    .map((line) => JSON.parse(line) as SandboxEvent);
}
