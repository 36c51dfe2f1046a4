import { playFlight } from './people/flight.js';
import { playPoint } from './people/play.js';
import { type FlightCase, flightCases, type PointCase, pointCases } from './people/points.js';
import { Champions, laneOptions } from './people/stage.js';
import { defineCampaign, runCampaign } from './support/campaign.js';
import { randomFrom, sample } from './support/random.js';

type PeopleCase = PointCase | FlightCase;

/** Cancels, terminates and resets runs at every point of a lifecycle, and in the middle of every create. */
export const peopleCampaign = defineCampaign(
  {
    name: 'people',
    description:
      'Cancels, terminates and resets runs everywhere in a lifecycle, and counts what is left behind.',
    short: 'a few of every kind',
  },
  async (campaign) => {
    const { short, seed, only } = campaign.options;
    const all: PeopleCase[] = [...pointCases(), ...flightCases()];
    const cases = short && only === null ? shortCases(all, randomFrom(seed)) : all;
    const champions = new Champions();
    campaign.print(`${cases.length} runs that somebody interferes with`);
    await campaign.playCases(cases, laneOptions, (played, lane) =>
      played.kind === 'point'
        ? playPoint(campaign, champions, played, lane)
        : playFlight(campaign, champions, played, lane),
    );
  },
);

/** Two of each action, on different scenarios where it can be, and two creates in flight. */
function shortCases(all: readonly PeopleCase[], random: () => number): PeopleCase[] {
  const of = (condition: (each: PeopleCase) => boolean, count: number) =>
    sample(all.filter(condition), count, random);
  return [
    ...(['cancel', 'terminate', 'reset'] as const).flatMap((action) => [
      ...of((each) => each.kind === 'point' && each.action === action && each.scenario === 'on-demand', 1),
      ...of((each) => each.kind === 'point' && each.action === action && each.scenario === 'swap', 1),
    ]),
    ...of((each) => each.kind === 'flight' && each.flight !== 'zombie' && each.scenario === 'on-demand', 1),
    ...of((each) => each.kind === 'flight' && each.flight === 'zombie' && each.scenario === 'on-demand', 1),
  ];
}

await runCampaign(import.meta.url, peopleCampaign);
