import { Outages } from './outages/outages.js';
import { type Bunch, ends, type Lifecycle, playBunch } from './outages/play.js';
import { MortalServers } from './outages/servers.js';
import {
  type Campaign,
  type CampaignDefinition,
  type CampaignFunction,
  defineCampaign,
  runCampaign,
} from './support/campaign.js';
import { randomFrom } from './support/random.js';
import type { LaneOptions } from './support/world.js';

const laneOptions: LaneOptions = {
  pollSeconds: 0.4,
  // Slow enough that a lifecycle meets several outages.
  sandbox: {
    trainingHours: 4,
    deploymentMinutes: 120,
    throughputMinutes: 120,
    quotas: { modelUnitsWithoutCommitment: 500, deploymentsInProgress: 100, scheduledCustomizationJobs: 100 },
  },
};

const definition: CampaignDefinition = {
  name: 'outages',
  description: 'Restarts Postgres and kills the Temporal server again and again under running lifecycles.',
  short: '6 lifecycles instead of 200, and outages in quicker succession',
  defaultLanes: 2,
};

/** Brings servers of its own, because it ends them; `addresses` are not used. */
export const outagesCampaign: CampaignFunction = Object.assign(
  async (options: Parameters<CampaignFunction>[0]) => {
    const servers = await MortalServers.start(options.signal);
    try {
      const campaign = defineCampaign(definition, (running) => play(running, servers));
      return await campaign({ ...options, addresses: servers.addresses });
    } finally {
      await servers.close();
    }
  },
  { definition },
);

async function play(campaign: Campaign, servers: MortalServers): Promise<void> {
  const { short, seed, lanes } = campaign.options;
  const random = randomFrom(seed);
  const bunches = bunchesOf(short ? 2 : 40, short ? 3 : 5, random);
  const outages = new Outages(servers, random);
  // Lanes come up while everything runs.
  await campaign.onLanes(
    bunches.slice(0, lanes).map(() => ({})),
    laneOptions,
    async () => {},
  );
  campaign.print(`${bunches.length} times ${bunches[0]?.lifecycles.length} lifecycles`);
  outages.start(short ? 0.3 : 1);
  try {
    await campaign.playCases(bunches, laneOptions, (bunch, lane) =>
      playBunch(campaign, outages, bunch, lane),
    );
  } finally {
    await outages.stop();
  }
  for (const [what, count] of Object.entries(outages.counts)) campaign.tally.add('servers', what, count);
}

function bunchesOf(count: number, size: number, random: () => number): Bunch[] {
  return Array.from({ length: count }, (_, number) => ({
    name: `bunch/${number}`,
    lifecycles: Array.from(
      { length: size },
      (_, place): Lifecycle => ({
        end: ends[place % ends.length] ?? 'promoted',
        target: random() < 0.5 ? 'bedrock-on-demand' : 'bedrock-provisioned',
        cancelAfterMs: 1_000 + random() * 9_000,
      }),
    ),
  }));
}

await runCampaign(import.meta.url, outagesCampaign);
