import pMap from 'p-map';
import { readingSets, toSettings } from '../../../src/sandbox/readings.js';
import type { Campaign, CampaignCase } from './campaign.js';
import type { Lane, LaneOptions } from './world.js';

/** Plays cases on lanes whose clouds read AWS in one way, and gives those lanes back. */
export async function playUnder<Case extends CampaignCase>(
  campaign: Campaign,
  readings: string,
  cases: readonly Case[],
  play: (played: Case, lane: Lane) => Promise<void>,
  more: Pick<LaneOptions, 'pollSeconds' | 'environment'> = {},
): Promise<void> {
  const lanes = new Set<Lane>();
  await campaign.playCases(cases, { ...laneOptionsOf(readings), ...more }, async (played, lane) => {
    lanes.add(lane);
    await play(played, lane);
  });
  await Promise.all([...lanes].map((lane) => campaign.world.closeLane(lane)));
}

/** A set with as many cases keeps all lanes busy, and the machine with them. */
const manyCases = 100;

/** Plays sets of readings one after the other, those of few cases two at a time: they leave lanes idle at their ends. */
export async function playSets<Case extends CampaignCase>(
  sets: readonly { readonly readings: string; readonly cases: readonly Case[] }[],
  playSet: (readings: string, cases: readonly Case[]) => Promise<void>,
): Promise<void> {
  const few: (typeof sets)[number][] = [];
  for (const set of sets) {
    if (set.cases.length < manyCases) few.push(set);
    else await playSet(set.readings, set.cases);
  }
  await pMap(few, ({ readings, cases }) => playSet(readings, cases), { concurrency: 2 });
}

/** Lanes with a worker in this process and a cloud that is quick without being instantaneous. */
function laneOptionsOf(name: string): LaneOptions {
  const set = readingSets.find((each) => each.name === name);
  if (!set) throw new Error(`There is no set of readings ${name}`);
  const { quotas, ...settings } = toSettings(set.readings);
  return {
    worker: 'inside',
    pollSeconds: 0.2,
    sandbox: {
      // Long enough to be looked at several times.
      deploymentMinutes: 90,
      throughputMinutes: 90,
      updateMinutes: 90,
      ...settings,
      quotas: {
        // Every cell that buys for a fresh model leaves a champion behind.
        modelUnitsWithoutCommitment: 1000,
        deploymentsInProgress: 20,
        scheduledCustomizationJobs: 50,
        ...quotas,
      },
    },
  };
}
