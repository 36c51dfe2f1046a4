import { playAliasByWorkflows, playAliasByWriters } from './contention/alias.js';
import { playBudget, playBudgetByWriters } from './contention/budget.js';
import { playOneModel } from './contention/one-model.js';
import { playQuota, quotaLane } from './contention/quota.js';
import { playPause, playThirtyDays } from './contention/schedule.js';
import { type CampaignCase, defineCampaign, runCampaign } from './support/campaign.js';
import { randomFrom } from './support/random.js';
import type { Lane, LaneOptions } from './support/world.js';

const laneOptions: LaneOptions = { pollSeconds: 0.5 };

interface ContentionCase extends CampaignCase {
  play(lane: Lane): Promise<void>;
}

/** Many at once: for one budget, one quota, one alias, and a schedule that has much to make up for. */
export const contentionCampaign = defineCampaign(
  {
    name: 'contention',
    description: 'Has many runs want the same money, room and alias at once.',
    short: '15 starts for a budget of three, 8 jobs for a quota of two, fewer clients of one alias',
    defaultLanes: 2,
  },
  async (campaign) => {
    const { short, seed } = campaign.options;
    const starts = short ? 15 : 100;
    const jobs = short ? 8 : 50;
    const asking = short ? { clients: 3, turns: 3 } : { clients: 6, turns: 6 };
    const writing = short ? { clients: 4, turns: 10 } : { clients: 8, turns: 60 };
    const quota: ContentionCase = { name: 'quota', play: (lane) => playQuota(campaign, lane, jobs) };
    const others: ContentionCase[] = [
      { name: 'budget', play: (lane) => playBudget(campaign, lane, starts) },
      { name: 'budget/writers', play: (lane) => playBudgetByWriters(campaign, lane, short ? 10 : 50) },
      {
        name: 'alias/writers',
        play: (lane) => playAliasByWriters(campaign, lane, { ...writing, random: randomFrom(seed) }),
      },
      {
        name: 'alias/workflows',
        play: (lane) => playAliasByWorkflows(campaign, lane, { ...asking, random: randomFrom(seed + 1) }),
      },
      { name: 'one-model', play: (lane) => playOneModel(campaign, lane, short ? 4 : 12) },
      { name: 'schedule/thirty-days', play: (lane) => playThirtyDays(campaign, lane) },
      { name: 'schedule/paused', play: (lane) => playPause(campaign, lane) },
    ];
    await Promise.all([
      campaign.playCases([quota], quotaLane, (played, lane) => played.play(lane)),
      campaign.playCases(others, laneOptions, (played, lane) => played.play(lane)),
    ]);
  },
);

await runCampaign(import.meta.url, contentionCampaign);
