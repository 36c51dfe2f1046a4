import { playFlight } from './people/flight.js';
import { playPoint } from './people/play.js';
import { type FlightCase, flightCases, hangingCases, type PointCase, pointCases } from './people/points.js';
import { Champions, forgetfulLaneOptions, laneOptions, patientLaneOptions } from './people/stage.js';
import { defineCampaign, runCampaign } from './support/campaign.js';
import { randomFrom, sample } from './support/random.js';
import type { Lane } from './support/world.js';

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
    const play = (played: PeopleCase, lane: Lane) =>
      played.kind === 'point'
        ? playPoint(campaign, champions, played, lane)
        : playFlight(campaign, champions, played, lane);
    const isResold = ({ action }: PeopleCase) => action === 'cancel-reset';
    await campaign.playCases(
      cases.filter((each) => !isResold(each)),
      laneOptions,
      play,
    );
    await campaign.playCases(cases.filter(isResold), forgetfulLaneOptions, play);
    if (!short) await campaign.playCases(hangingCases(), patientLaneOptions, play);
  },
);

/** One of each action, and two creates in flight, one of them of a process that slept. */
function shortCases(all: readonly PeopleCase[], random: () => number): PeopleCase[] {
  const points = (
    [
      ['cancel', 'on-demand'],
      ['terminate', 'provisioned'],
      ['terminate-all', 'on-demand'],
      ['reset', 'swap'],
    ] as const
  ).flatMap(([action, scenario]) =>
    sample(
      all.filter((each) => each.kind === 'point' && each.action === action && each.scenario === scenario),
      1,
      random,
    ),
  );
  const inFlight = all.filter((each) => each.kind === 'flight' && each.scenario === 'on-demand');
  const [zombies, others] = [true, false].map((isZombie) =>
    inFlight.filter((each) => each.kind === 'flight' && (each.flight === 'zombie') === isZombie),
  );
  return [...points, ...sample(others ?? [], 1, random), ...sample(zombies ?? [], 1, random)];
}

await runCampaign(import.meta.url, peopleCampaign);
