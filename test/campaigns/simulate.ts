import { journeyOf, StandingModels, wordOf } from './faults/journeys.js';
import {
  commonReadings,
  describeScenario,
  readingsOf,
  type Scenario,
  scenarioOf,
} from './simulate/choices.js';
import { playScenario, wrongEnding } from './simulate/play.js';
import { type Campaign, type CampaignCase, defineCampaign, runCampaign } from './support/campaign.js';
import { checkModel, findingsOf } from './support/invariants.js';
import { playSets, playUnder } from './support/readings.js';
import { checkServed } from './support/serving.js';
import type { Lane } from './support/world.js';

const lifecycles = { long: 2000, short: 20 };
/** Seldom enough for thousands of lifecycles, often enough for several looks at everything that takes time. */
const pace = { pollSeconds: 0.5, environment: { ANNEAL_LEASE_WATCH_SECONDS: '2' } };

interface SimulateCase extends CampaignCase {
  /** The scenario's own seed. */
  readonly name: string;
  readonly scenario: Scenario;
}

/** Plays lifecycles whose input, faults, people and cloud a seed has chosen, and checks what must be true after each. */
export const simulateCampaign = defineCampaign(
  {
    name: 'simulate',
    description: 'Plays lifecycles that seeds have made up: inputs, faults, people and readings of AWS.',
    short: `${lifecycles.short} lifecycles, under three sets of readings, instead of ${lifecycles.long}`,
    defaultLanes: 8,
  },
  async (campaign) => {
    const cases = casesOf(campaign.options);
    const models = new StandingModels();
    const sets = [...new Set(cases.map(({ scenario }) => scenario.readings))].map((readings) => ({
      readings,
      cases: cases.filter(({ scenario }) => scenario.readings === readings),
    }));
    const playSet = (readings: string, ofSet: readonly SimulateCase[]) => {
      const play = (played: SimulateCase, lane: Lane) => playOne(campaign, models, played, lane);
      return playUnder(campaign, readings, ofSet, play, pace);
    };
    // A set of few lifecycles leaves lanes idle: all sets of the short version have lanes at the same time.
    if (campaign.options.short) {
      await Promise.all(sets.map((set) => playSet(set.readings, set.cases)));
    } else {
      await playSets(sets, playSet);
    }
  },
);

/** `only` is a scenario's seed, whichever the campaign's own is. */
function casesOf({ seed, short, only }: Campaign['options']): SimulateCase[] {
  const toCase = (of: number): SimulateCase => {
    const scenario = scenarioOf(of);
    return { name: String(of), scenario, affinity: scenario.isSecond ? scenario.target : 'first' };
  };
  if (only !== null && /^\d+$/.test(only)) return [toCase(Number(only))];
  const wanted = short ? lifecycles.short : lifecycles.long;
  const cases: SimulateCase[] = [];
  for (let next = seed * lifecycles.long; cases.length < wanted; next += 1) {
    const isPlayed = !short || commonReadings.some((name) => name === readingsOf(next));
    if (isPlayed) cases.push(toCase(next));
  }
  return cases;
}

async function playOne(
  campaign: Campaign,
  models: StandingModels,
  played: SimulateCase,
  lane: Lane,
): Promise<void> {
  const { tally, signal } = campaign;
  const { scenario } = played;
  if (campaign.options.only !== null) for (const line of describeScenario(scenario)) campaign.print(line);
  const standing = journeyOf(scenario.target === 'bedrock-on-demand' ? 'promoted' : 'swapped');
  const model = scenario.isSecond ? await models.modelFor(lane, standing, signal) : lane.newModel();
  const { endings, interfered, faultsFired, stragglers } = await playScenario(
    lane,
    model,
    scenario,
    signal,
  ).finally(() => lane.setFaults(null));

  const row = `${scenario.target} ${scenario.isSecond ? 'second' : 'first'}`;
  tally.add(row, 'lifecycles', endings.length);
  tally.add(row, 'faults', faultsFired);
  tally.add(row, 'interfered', interfered ? 1 : 0);
  for (const word of [
    'promoted',
    'rejected',
    'declined',
    'rolledBack',
    'unchanged',
    'cancelled',
    'terminated',
  ]) {
    tally.add(row, word, endings.filter((ending) => ending && wordOf(ending) === word).length);
  }
  tally.add(row, 'failed', endings.filter((ending) => ending?.closed === 'failed').length);

  const wrong = endings.flatMap((ending) => wrongEnding(ending, scenario) ?? []);
  const findings = [
    ...findingsOf('I5', [...wrong, ...stragglers.map((workflowId) => `${workflowId} did not end`)]),
    ...(await checkModel(lane, model)),
    ...(await checkServed(lane, model)),
  ];
  campaign.record(findings, played);
  if (findings.every(({ violation }) => violation === null)) return;
  for (const line of describeScenario(scenario)) campaign.print(line);
  campaign.print(`  it ended ${endings.map((ending) => (ending ? wordOf(ending) : 'never')).join(', ')}`);
  models.discard(lane, standing);
}

await runCampaign(import.meta.url, simulateCampaign);
