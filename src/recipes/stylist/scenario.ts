import { createHash } from 'node:crypto';
import { createSeededRandom, type SeededRandom } from '../seeded-random.js';
import { type Catalogue, type StylistVerdict, verdictIds } from './catalogue.js';
import { writePrompt } from './prompt.js';
import { type Garment, type ScoreResult, scoreGarment, type Wearer } from './scoring.js';

/** A wearer, a garment and what the scorer makes of the two. */
export interface Scenario {
  readonly garment: Garment;
  readonly wearer: Wearer;
  readonly result: ScoreResult;
  readonly prompt: string;
  readonly groupKey: string;
}

/**
 * Training and suites draw from two halves of one space, told apart by a hash of the prompt: whatever the
 * seeds and counts, no suite asks a question that a built dataset contains.
 */
export type ScenarioSpace = 'training' | 'suite';

const suiteShare = 0.2;
/** Far beyond what the rarest verdict needs; reached only if the scoring data make a verdict impossible. */
const maximumDraws = 20_000;

/** An endless stream of different scenarios, the three verdicts in turn. */
export function* drawScenarios(
  catalogue: Catalogue,
  space: ScenarioSpace,
  seed: number,
): Generator<{ scenario: Scenario; random: SeededRandom }> {
  const random = createSeededRandom(`stylist/${space}/${seed}`);
  const seen = new Set<string>();
  for (let index = 0; ; index += 1) {
    const verdict = verdictIds[index % verdictIds.length] as StylistVerdict;
    const scenario = drawWithVerdict(catalogue, { random, space, verdict, seen });
    seen.add(scenario.prompt);
    yield { scenario, random };
  }
}

export function groupKeyOf(
  wearer: Pick<Wearer, 'bodyShape'>,
  garment: Pick<Garment, 'category' | 'style'>,
): string {
  return `${wearer.bodyShape}/${garment.category}/${garment.style.replaceAll(' ', '_')}`;
}

function drawWithVerdict(
  catalogue: Catalogue,
  input: { random: SeededRandom; space: ScenarioSpace; verdict: StylistVerdict; seen: ReadonlySet<string> },
): Scenario {
  for (let draw = 0; draw < maximumDraws; draw += 1) {
    const wearer = drawWearer(catalogue, input.random);
    const garment = drawGarment(catalogue, input.random);
    const result = scoreGarment(catalogue, garment, wearer);
    if (result.verdict !== input.verdict) continue;
    const prompt = writePrompt(catalogue, { garment, wearer, result });
    if (input.seen.has(prompt) || spaceOf(prompt) !== input.space) continue;
    return { garment, wearer, result, prompt, groupKey: groupKeyOf(wearer, garment) };
  }
  throw new Error(`No scenario scored as ${input.verdict} in ${maximumDraws} draws; check scoring.json.`);
}

function spaceOf(prompt: string): ScenarioSpace {
  const bucket = createHash('sha256').update(prompt).digest().readUInt16BE(0) / 65_536;
  return bucket < suiteShare ? 'suite' : 'training';
}

function drawWearer({ scoring }: Catalogue, random: SeededRandom): Wearer {
  return {
    heightInches: 58 + random.integer(17),
    bodyShape: random.pick(Object.keys(scoring.bodyShapes)),
    goals: random.sample(Object.keys(scoring.goals), 1 + random.integer(3)),
  };
}

function drawGarment({ garments }: Catalogue, random: SeededRandom): Garment {
  const category = random.pick(Object.keys(garments.categories));
  const definition = garments.categories[category] as (typeof garments.categories)[string];
  const style = random.pick(Object.keys(definition.styles));
  const fixed = definition.styles[style] ?? {};
  const fabric = random.pick(fittingFabrics(garments, definition.fabrics, fixed));
  const color = random.pick(Object.keys(garments.colors));
  const implied: Record<string, string> = {
    ...garments.fabrics[fabric],
    tone: garments.colors[color] ?? 'mid',
  };
  const attributes = Object.fromEntries(
    definition.attributes.map((attribute) => {
      const values =
        attribute === 'length'
          ? definition.lengths
          : Object.keys(garments.attributes[attribute]?.words ?? {});
      const drawn = random.pick(values);
      return [attribute, implied[attribute] ?? fixed[attribute] ?? drawn];
    }),
  );
  const name = `${color} ${fabric} ${style}`;
  return { name: name.charAt(0).toUpperCase() + name.slice(1), category, style, fabric, color, attributes };
}

/** Fabrics that have what the style asks of the cloth; all allowed ones where none has. */
function fittingFabrics(
  garments: Catalogue['garments'],
  allowed: readonly string[] | undefined,
  fixed: Readonly<Record<string, string>>,
): string[] {
  const names = [...(allowed ?? Object.keys(garments.fabrics))];
  const fitting = names.filter((name) =>
    Object.entries(garments.fabrics[name] ?? {}).every(
      ([attribute, value]) => (fixed[attribute] ?? value) === value,
    ),
  );
  return fitting.length > 0 ? fitting : names;
}
