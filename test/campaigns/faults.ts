import { readingSets } from '../../src/sandbox/readings.js';
import { titleOf } from './faults/calls.js';
import { allCells, ambiguousCreates, type Cell, shortCells } from './faults/cells.js';
import { classes, expectationOf, letterOf } from './faults/classes.js';
import { journeyOf, StandingModels, wordOf } from './faults/journeys.js';
import { Matrix } from './faults/matrix.js';
import { type Played, playCell } from './faults/play.js';
import { type Campaign, defineCampaign, runCampaign } from './support/campaign.js';
import { checkModel, findingsOf } from './support/invariants.js';
import { randomFrom } from './support/random.js';
import { playSets, playUnder } from './support/readings.js';
import { checkServed } from './support/serving.js';
import type { Lane } from './support/world.js';

/**
 * Lays every fault on every cloud call that a lifecycle makes, once, later or for as long as it takes, and
 * holds how the lifecycle ends against what is right for that fault.
 */
export const faultsCampaign = defineCampaign(
  {
    name: 'faults',
    description: 'Lays every fault on every cloud call of a lifecycle and prints how each of them ends.',
    short: 'about 30 cells, every kind of fault among them, under the usual readings of AWS',
    defaultLanes: 8,
  },
  async (campaign) => {
    const { short, seed } = campaign.options;
    const models = new StandingModels();
    const matrix = new Matrix();
    const cells = short ? shortCells(randomFrom(seed)) : allCells();
    await playUnder(campaign, 'usual', cells, (cell, lane) => playOne(campaign, models, matrix, cell, lane));
    campaign.print('');
    for (const line of [...matrix.lines(), ...Object.values(classes)]) campaign.print(line);
    if (short) return;
    const others = readingSets.filter((set) => set.name !== 'usual');
    const sets = others.map(({ name }) => ({ readings: name, cases: ambiguousCreates(name) }));
    await playSets(sets, (readings, played) =>
      playUnder(campaign, readings, played, (cell, lane) => playOne(campaign, models, null, cell, lane)),
    );
  },
);

async function playOne(
  campaign: Campaign,
  models: StandingModels,
  matrix: Matrix | null,
  cell: Cell,
  lane: Lane,
): Promise<void> {
  const { tally } = campaign;
  const journey = journeyOf(cell.call.journey);
  const expectation = expectationOf(cell);
  const model = await models.modelFor(lane, journey, campaign.signal);
  const played = await playCell(lane, model, cell, expectation, campaign.signal).finally(() =>
    lane.setFaults(null),
  );
  const problems = problemsOf(cell, played);
  const isRight = problems.length === 0;
  matrix?.add(cell, played.class ? `${letterOf(played.class)}${isRight ? '' : '!'}` : '!');
  const row = cell.call.journey;
  tally.add(row, 'cells');
  for (const name of Object.keys(classes)) tally.add(row, name, played.class === name ? 1 : 0);
  tally.add(row, 'unexpected', isRight ? 0 : 1);

  const isBlocked = played.class === 'blocked';
  const findings = [
    ...(isBlocked ? [] : [...(await checkModel(lane, model)), ...(await checkServed(lane, model))]),
    ...findingsOf('I5', problems),
  ];
  campaign.record(findings, cell);
  const isViolated = findings.some(({ violation }) => violation !== null);
  if (isViolated) campaign.print(`  ${titleOf(cell.call)}: seen ${played.seen}; ${describe(played)}`);
  if (isViolated || isBlocked) models.discard(lane, journey);
}

/** How a cell ended otherwise than it should have. */
function problemsOf(cell: Cell, played: Played): string[] {
  const { class: expected, failure } = expectationOf(cell);
  const problems = played.stragglers.map((workflowId) => `${workflowId} did not end`);
  if (played.fired === 0) problems.push('the call was never made');
  if (played.class !== expected) problems.push(`expected ${expected}, found ${describe(played)}`);
  else if (played.ending && expected === 'failed' && wordOf(played.ending) !== failure) {
    problems.push(`expected a ${failure}, found ${describe(played)}`);
  }
  const keepsChampion = expected === 'failed' || expected === 'fell-back';
  if (keepsChampion && played.championAfter !== played.championBefore) {
    problems.push(`the champion was version ${played.championBefore} and is ${played.championAfter}`);
  }
  return problems;
}

function describe({ class: found, ending, seen }: Played): string {
  if (ending === null) return `a run that did not end; seen: ${seen}`;
  const message = ending.closed === 'completed' ? '' : `: ${ending.message}`;
  return `${found ?? 'no class'}, ${wordOf(ending)}${message}`;
}

await runCampaign(import.meta.url, faultsCampaign);
