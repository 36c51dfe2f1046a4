import type { SeededRandom } from '../seeded-random.js';
import type { Catalogue } from './catalogue.js';
import type { Garment, PrincipleScore, ScoreResult } from './scoring.js';

export const segmentStyles = ['normal', 'positive', 'negative', 'fix'] as const;
export type SegmentStyle = (typeof segmentStyles)[number];

export interface Segment {
  readonly text: string;
  readonly style: SegmentStyle;
}

/** What the model writes. */
export interface StylistAnswer {
  readonly headline: string;
  readonly pinch: readonly Segment[];
}

/** Puts a scored garment into words without a model, choosing among phrases that are true of it. */
export function composeAnswer(
  catalogue: Catalogue,
  { garment, result, random }: { garment: Garment; result: ScoreResult; random: SeededRandom },
): StylistAnswer {
  const words = wordsFor(catalogue, garment);
  const compose = { this_is_it: composeYes, smart_pick: composeAlmost, not_this_one: composeNo }[
    result.verdict
  ];
  return {
    headline: fill(random.pick(catalogue.phrases.headlines[result.verdict]), words, { sentence: true }),
    pinch: compose({ catalogue, result, random, words }),
  };
}

interface Composition {
  readonly catalogue: Catalogue;
  readonly result: ScoreResult;
  readonly random: SeededRandom;
  readonly words: Words;
}

function composeYes(input: Composition): Segment[] {
  const { catalogue, random } = input;
  const praised = distinctDetails(byContribution(input.result).filter(({ score }) => score > 0));
  const chosen = random.sample(praised.slice(0, 5), 1 + random.integer(2));
  return [
    ...(random.chance(0.5) ? [general(input, catalogue.phrases.leads.this_is_it, 'normal')] : []),
    ...(random.chance(0.4) || chosen.length === 0
      ? [general(input, catalogue.phrases.openers.this_is_it, 'positive')]
      : []),
    ...chosen.map((entry) => about(input, entry, 'positive')),
    general(input, catalogue.phrases.closers.this_is_it, 'positive'),
  ];
}

function composeAlmost(input: Composition): Segment[] {
  const { catalogue, random } = input;
  const ranked = byContribution(input.result);
  const praised = random.sample(
    distinctDetails(ranked.filter(({ score }) => score > 0)).slice(0, 4),
    1 + random.integer(2),
  );
  const mended = random.sample(improvable(ranked).slice(0, 3), 1);
  return [
    ...(random.chance(0.4) || praised.length === 0
      ? [general(input, catalogue.phrases.openers.smart_pick, 'positive')]
      : []),
    ...praised.map((entry) => about(input, entry, 'positive')),
    ...mended.map((entry) => about(input, entry, 'fix')),
    ...(random.chance(0.4) || mended.length === 0
      ? [general(input, catalogue.phrases.closers.smart_pick, 'fix')]
      : []),
  ];
}

function composeNo(input: Composition): Segment[] {
  const { catalogue, random } = input;
  const ranked = byContribution(input.result);
  const faulted = random.sample(
    distinctDetails([...ranked].reverse().filter(({ score }) => score < 0)).slice(0, 4),
    1 + random.integer(2),
  );
  const mended = random.sample(improvable(faulted), 1);
  return [
    random.chance(0.7)
      ? general(input, catalogue.phrases.leads.not_this_one, 'normal')
      : general(input, catalogue.phrases.openers.not_this_one, 'positive'),
    ...faulted.map((entry) => about(input, entry, 'negative')),
    ...mended.map((entry) => about(input, entry, 'fix')),
    ...(random.chance(0.4) || mended.length === 0
      ? [general(input, catalogue.phrases.closers.not_this_one, 'fix')]
      : []),
  ];
}

function general({ random, words }: Composition, phrases: readonly string[], style: SegmentStyle): Segment {
  return { text: fill(random.pick(phrases), words, { sentence: true }), style };
}

function about(input: Composition, entry: PrincipleScore, style: 'positive' | 'negative' | 'fix'): Segment {
  const { catalogue, random, words } = input;
  const attribute = catalogue.garments.attributes[entry.attribute];
  const better = entry.better === null ? undefined : attribute?.words[entry.better];
  const known: Words = { ...words, it: words[`attribute:${entry.attribute}`], better };
  const usable = (catalogue.phrases.principles[entry.principle]?.[style] ?? []).filter((phrase) =>
    slotsOf(phrase).every((slot) => known[slot] !== undefined),
  );
  return { text: fill(random.pick(usable), known, { sentence: true }), style };
}

/** Best first, by weight times score. */
function byContribution(result: ScoreResult): PrincipleScore[] {
  return [...result.principles].sort((one, other) => other.weight * other.score - one.weight * one.score);
}

/** The first of each attribute, so that no two segments talk about the same detail. */
function distinctDetails(ranked: readonly PrincipleScore[]): PrincipleScore[] {
  return ranked.filter(
    (entry, index) => ranked.findIndex(({ attribute }) => attribute === entry.attribute) === index,
  );
}

/** Worst first, of those for which something better exists. */
function improvable(ranked: readonly PrincipleScore[]): PrincipleScore[] {
  return [...ranked].filter(({ better }) => better !== null).sort((one, other) => one.score - other.score);
}

type Words = Readonly<Record<string, string | undefined>>;

function wordsFor({ garments }: Catalogue, garment: Garment): Words {
  const counted = garments.categories[garment.category]?.counted;
  const attributes = Object.entries(garment.attributes).map(([attribute, value]) => [
    `attribute:${attribute}`,
    garments.attributes[attribute]?.words[value],
  ]);
  return {
    garment: counted ? `${counted} ${garment.style}` : garment.style,
    fabric: garment.fabric ?? 'cloth',
    color: garment.color ?? 'color',
    ...Object.fromEntries(attributes),
  };
}

function slotsOf(phrase: string): string[] {
  return [...phrase.matchAll(/\{(\w+)\}/g)].map(([, slot]) => slot as string);
}

/** `{better}` brings its own article; an article written before any other slot is fitted to the word. */
function fill(phrase: string, words: Words, { sentence }: { sentence: boolean }): string {
  const filled = phrase.replace(
    /(?:\b(a) )?\{(\w+)\}/gi,
    (_match, article: string | undefined, slot: string) => {
      const word = words[slot] ?? '';
      if (slot === 'better') return `${articleFor(word)} ${word}`;
      if (!article) return word;
      const fitted = articleFor(word);
      return `${article === 'A' ? fitted.charAt(0).toUpperCase() + fitted.slice(1) : fitted} ${word}`;
    },
  );
  return sentence ? filled.charAt(0).toUpperCase() + filled.slice(1) : filled;
}

function articleFor(word: string): 'a' | 'an' {
  return /^[aeio]/i.test(word) ? 'an' : 'a';
}
