import type { Catalogue, Principle, StylistVerdict } from './catalogue.js';

export interface Wearer {
  readonly heightInches: number;
  readonly bodyShape: string;
  readonly goals: readonly string[];
}

export interface Garment {
  /** As shown to people, for instance `Ink blue linen wrap dress`. */
  readonly name: string;
  readonly category: string;
  /** The template it was cut from, for instance `wrap dress`; the category where unknown. */
  readonly style: string;
  readonly fabric: string | null;
  readonly color: string | null;
  /** Attribute to value; only attributes that the category has. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface PrincipleScore {
  readonly principle: string;
  readonly label: string;
  /** In [-1, 1]. */
  readonly score: number;
  readonly weight: number;
  readonly attribute: string;
  /** The best value of the attribute for this wearer; null when the garment already has it. */
  readonly better: string | null;
}

export type GoalEffect = 'helping' | 'fighting' | 'mixed';

export interface ScoreResult {
  /** 0 to 10, to one decimal: the verdict follows from what is shown. */
  readonly score: number;
  readonly verdict: StylistVerdict;
  /** Principles that apply to the garment, in the order of the data file. */
  readonly principles: readonly PrincipleScore[];
  readonly goals: readonly { readonly goal: string; readonly label: string; readonly effect: GoalEffect }[];
}

/** Scores a garment for a wearer. Pure: the same two always get the same result. */
export function scoreGarment(catalogue: Catalogue, garment: Garment, wearer: Wearer): ScoreResult {
  const { scoring } = catalogue;
  const principles = Object.entries(scoring.principles).flatMap(([id, principle]) =>
    scorePrinciple(catalogue, { id, principle, garment, wearer }),
  );
  const weighted = withWeights(catalogue, principles, wearer);
  const mean = weightedMean(weighted);
  const score = Math.round(clamp(5 + 5 * scoring.mean.gain * mean, 0, 10) * 10) / 10;
  return {
    score,
    verdict: verdictOf(catalogue, score),
    principles: weighted,
    goals: scoreGoals(catalogue, weighted, wearer),
  };
}

export function verdictOf({ scoring }: Catalogue, score: number): StylistVerdict {
  const descending = [...scoring.verdicts].sort((one, other) => other.minimumScore - one.minimumScore);
  const reached = descending.find(({ minimumScore }) => score >= minimumScore);
  return (reached ?? descending.at(-1))?.id ?? 'not_this_one';
}

export function heightBandOf({ scoring }: Catalogue, heightInches: number): string {
  const band = scoring.heightBands.find(({ belowInches }) => heightInches < belowInches);
  return (band ?? scoring.heightBands.at(-1))?.id ?? '';
}

function scorePrinciple(
  catalogue: Catalogue,
  input: { id: string; principle: Principle; garment: Garment; wearer: Wearer },
): PrincipleScore[] {
  const { id, principle, garment, wearer } = input;
  const value = garment.attributes[principle.attribute];
  if (value === undefined) return [];
  const row =
    principle.table[
      principle.by === 'bodyShape' ? wearer.bodyShape : heightBandOf(catalogue, wearer.heightInches)
    ];
  const score = row?.[value];
  if (row === undefined || score === undefined) return [];
  const better = bestValue(catalogue, garment, principle, row);
  return [
    {
      principle: id,
      label: principle.label,
      score,
      weight: principle.weight,
      attribute: principle.attribute,
      better: better !== null && (row[better] ?? 0) > score ? better : null,
    },
  ];
}

/** Only lengths that the category is made in; every value of the other attributes. */
function bestValue(
  { garments }: Catalogue,
  garment: Garment,
  principle: Principle,
  row: Readonly<Record<string, number>>,
): string | null {
  const lengths = garments.categories[garment.category]?.lengths;
  const candidates = principle.attribute === 'length' && lengths ? lengths : Object.keys(row);
  const ranked = [...candidates].sort((one, other) => (row[other] ?? -1) - (row[one] ?? -1));
  return ranked[0] ?? null;
}

/** Goals raise the weight of their principles, faults count a little more, and no principle rules alone. */
function withWeights({ scoring }: Catalogue, principles: PrincipleScore[], wearer: Wearer): PrincipleScore[] {
  const { goalWeightFactor, negativeWeightFactor, maximumWeightShare } = scoring.mean;
  const wanted = new Set(wearer.goals.flatMap((goal) => scoring.goals[goal]?.principles ?? []));
  const raised = principles.map((entry) => ({
    ...entry,
    weight:
      entry.weight *
      (wanted.has(entry.principle) ? goalWeightFactor : 1) *
      (entry.score < 0 ? negativeWeightFactor : 1),
  }));
  const total = raised.reduce((sum, { weight }) => sum + weight, 0);
  return raised.map((entry) => ({ ...entry, weight: Math.min(entry.weight, total * maximumWeightShare) }));
}

function scoreGoals(
  { scoring }: Catalogue,
  principles: readonly PrincipleScore[],
  wearer: Wearer,
): ScoreResult['goals'] {
  return wearer.goals.flatMap((goal) => {
    const definition = scoring.goals[goal];
    if (!definition) return [];
    const mean = weightedMean(
      principles.filter(({ principle }) => definition.principles.includes(principle)),
    );
    const { helpingAbove, fightingBelow } = scoring.goalChips;
    const effect = mean > helpingAbove ? 'helping' : mean < fightingBelow ? 'fighting' : 'mixed';
    return [{ goal, label: definition.label, effect }];
  });
}

function weightedMean(principles: readonly PrincipleScore[]): number {
  const total = principles.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return 0;
  return principles.reduce((sum, { score, weight }) => sum + score * weight, 0) / total;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
