import { setTimeout as sleep } from 'node:timers/promises';
import { type Finding, findingsOf } from './invariants.js';
import type { Lane } from './world.js';

/** Updates take a few seconds at the clock of a campaign. */
const longestUpdateMs = 15_000;

/** I3 in one more respect: what answers for the champion is the champion's model. */
export async function checkServed(lane: Lane, model: string): Promise<Finding[]> {
  const champion = await lane.dependencies.registry.champion(model);
  if (!champion?.deployment) return [];
  const { deployment, modelId, version } = champion;
  const look = async () =>
    (await lane.state()).resources.find(({ isLive, name }) => isLive && name === deployment.name);
  const deadline = Date.now() + longestUpdateMs;
  let serving = await look();
  while (serving?.status === 'Updating' && Date.now() < deadline) {
    await sleep(200);
    serving = await look();
  }
  if (!serving || serving.modelArn === modelId) return findingsOf('I3', []);
  const text = `${deployment.name} serves ${serving.modelArn}, and not version ${version}, the champion: ${modelId}`;
  return findingsOf('I3', [text]);
}
