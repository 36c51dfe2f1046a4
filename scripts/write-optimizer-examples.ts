/** Writes `recipes/optimizer/examples/*.json`: `npx tsx scripts/write-optimizer-examples.ts`. Same output every time. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { OptimizationModel } from '../src/recipes/optimizer/model.js';

export interface ExampleRow {
  readonly id: string;
  readonly problem: string;
  readonly model: OptimizationModel;
}

interface Setting {
  readonly id: string;
  /** Who decides, with article, for instance `a pottery`. */
  readonly who: string;
  readonly makes: string;
  readonly first: string;
  readonly second: string;
  readonly materials: readonly [name: string, unit: string];
  readonly labour: readonly [name: string, unit: string];
}

const settingsByFile: Readonly<Record<string, readonly Setting[]>> = {
  workshops: [
    setting(
      'pottery',
      'A pottery',
      'makes',
      ['mugs', 'bowls'],
      ['clay', 'kilograms'],
      ['kiln time', 'hours'],
    ),
    setting(
      'joinery',
      'A joinery',
      'builds',
      ['benches', 'shelves'],
      ['oak', 'planks'],
      ['carving', 'hours'],
    ),
    setting(
      'bindery',
      'A bindery',
      'binds',
      ['atlases', 'notebooks'],
      ['paper', 'reams'],
      ['stitching', 'minutes'],
    ),
  ],
  food: [
    setting(
      'bakery',
      'A village bakery',
      'bakes',
      ['rye loaves', 'plum cakes'],
      ['flour', 'kilograms'],
      ['oven time', 'minutes'],
    ),
    setting(
      'dairy',
      'A mountain dairy',
      'makes',
      ['soft cheeses', 'hard cheeses'],
      ['milk', 'litres'],
      ['ripening space', 'shelves'],
    ),
    setting(
      'cannery',
      'A small cannery',
      'fills',
      ['jars of pickles', 'jars of jam'],
      ['sugar', 'grams'],
      ['cooking', 'minutes'],
    ),
  ],
  transport: [
    setting(
      'ferry',
      'An island council',
      'runs',
      ['ferries', 'water taxis'],
      ['fuel', 'litres'],
      ['crew time', 'hours'],
    ),
    setting(
      'post',
      'A post office',
      'sends',
      ['vans', 'cargo bikes'],
      ['parking space', 'square metres'],
      ['loading', 'minutes'],
    ),
  ],
  services: [
    setting(
      'clinic',
      'A clinic',
      'schedules',
      ['check-ups', 'vaccinations'],
      ['dressing material', 'packs'],
      ['nursing', 'minutes'],
    ),
    setting(
      'theatre',
      'A theatre',
      'stages',
      ['matinees', 'galas'],
      ['lighting power', 'kilowatts'],
      ['rehearsal', 'hours'],
    ),
  ],
  energy: [
    setting(
      'solar',
      'A cooperative',
      'installs',
      ['roof panels', 'field panels'],
      ['cable', 'metres'],
      ['fitting', 'hours'],
    ),
    setting(
      'heating',
      'A housing estate',
      'fits',
      ['heat pumps', 'pellet boilers'],
      ['pipe', 'metres'],
      ['plumbing', 'hours'],
    ),
  ],
};

function setting(
  id: string,
  who: string,
  makes: string,
  [first, second]: readonly [string, string],
  materials: Setting['materials'],
  labour: Setting['labour'],
): Setting {
  return { id, who, makes, first, second, materials, labour };
}

/** The rows of every file, by file name. */
export function optimizerExamples(): Record<string, ExampleRow[]> {
  let count = 0;
  return Object.fromEntries(
    Object.entries(settingsByFile).map(([file, settings]) => [
      `${file}.json`,
      settings.flatMap((each) => {
        count += 1;
        return [mostProfit(each, count), leastCost(each, count), fewest(each, count), withShare(each, count)];
      }),
    ]),
  );
}

function mostProfit({ id, who, makes, first, second, materials, labour }: Setting, n: number): ExampleRow {
  const [p, q, a, b, c, d] = [12 + 3 * n, 9 + 5 * n, 2 + (n % 4), 3 + (n % 5), 1 + (n % 3), 2 + (n % 6)];
  const [m, h] = [90 + 10 * n, 60 + 15 * n];
  return {
    id: `${id}-most-profit`,
    problem: `${who} ${makes} ${first} and ${second}. Each of the ${first} earns $${p} and needs ${a} ${materials[1]} of ${materials[0]} and ${c} ${labour[1]} of ${labour[0]}. Each of the ${second} earns $${q} and needs ${b} ${materials[1]} of ${materials[0]} and ${d} ${labour[1]} of ${labour[0]}. There are ${m} ${materials[1]} of ${materials[0]} and ${h} ${labour[1]} of ${labour[0]}. How many of each give the most profit?`,
    model: {
      variables: [first, second],
      objective: { direction: 'maximize', name: 'profit', terms: { [first]: p, [second]: q } },
      constraints: [
        { terms: { [first]: a, [second]: b }, operator: '<=', limit: m },
        { terms: { [first]: c, [second]: d }, operator: '<=', limit: h },
      ],
    },
  };
}

function leastCost({ id, who, makes, first, second }: Setting, n: number): ExampleRow {
  const [p, q, total, least, most] = [20 + 4 * n, 14 + 3 * n, 40 + 5 * n, 6 + n, 30 + 2 * n];
  return {
    id: `${id}-least-cost`,
    problem: `${who} ${makes} ${first} at $${p} each and ${second} at $${q} each. Together at least ${total} are wanted, with no fewer than ${least} ${first} and no more than ${most} ${second}. How is that done at the lowest cost?`,
    model: {
      variables: [first, second],
      objective: { direction: 'minimize', name: 'cost', terms: { [first]: p, [second]: q } },
      constraints: [
        { terms: { [first]: 1, [second]: 1 }, operator: '>=', limit: total },
        { terms: { [first]: 1 }, operator: '>=', limit: least },
        { terms: { [second]: 1 }, operator: '<=', limit: most },
      ],
    },
  };
}

function fewest({ id, who, makes, first, second, labour }: Setting, n: number): ExampleRow {
  const [a, b, c, d, people, hours, times] = [
    8 + n,
    5 + (n % 4),
    3 + (n % 3),
    2,
    200 + 20 * n,
    150 + 10 * n,
    2 + (n % 2),
  ];
  return {
    id: `${id}-fewest`,
    problem: `${who} ${makes} ${first}, which serve ${a} people each, and ${second}, which serve ${b}. One of the ${first} takes ${c} ${labour[1]} of ${labour[0]}, one of the ${second} takes ${d}, and ${hours} ${labour[1]} are free. At least ${people} people are to be served, and there must be at most ${times} times as many ${second} as ${first}. What is the smallest number of both together?`,
    model: {
      variables: [first, second],
      objective: { direction: 'minimize', name: 'total number', terms: { [first]: 1, [second]: 1 } },
      constraints: [
        { terms: { [first]: a, [second]: b }, operator: '>=', limit: people },
        { terms: { [first]: c, [second]: d }, operator: '<=', limit: hours },
        { terms: { [second]: 1, [first]: -times }, operator: '<=', limit: 0 },
      ],
    },
  };
}

function withShare({ id, who, makes, first, second, materials }: Setting, n: number): ExampleRow {
  const [p, q, a, b, m, percent] = [
    7 + 2 * n,
    11 + n,
    3 + (n % 4),
    4 + (n % 3),
    120 + 25 * n,
    10 * (2 + (n % 4)),
  ];
  const share = percent / 100;
  const rest = Number((1 - share).toFixed(10));
  return {
    id: `${id}-with-share`,
    problem: `${who} ${makes} ${first} for $${p} and ${second} for $${q} of income each. ${first[0]?.toUpperCase()}${first.slice(1)} use ${a} ${materials[1]} of ${materials[0]}, ${second} use ${b}, and ${m} ${materials[1]} are in store. At least ${percent}% of all pieces must be ${first}. What brings the highest income?`,
    model: {
      variables: [first, second],
      objective: { direction: 'maximize', name: 'income', terms: { [first]: p, [second]: q } },
      constraints: [
        { terms: { [first]: a, [second]: b }, operator: '<=', limit: m },
        { terms: { [first]: rest, [second]: -share }, operator: '>=', limit: 0 },
      ],
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL('../recipes/optimizer/examples', import.meta.url));
  for (const [file, rows] of Object.entries(optimizerExamples())) {
    writeFileSync(join(folder, file), `${JSON.stringify(rows, null, 2)}\n`);
  }
}
