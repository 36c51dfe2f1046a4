import { type Catalogue, type StylistVerdict, verdictIds } from './catalogue.js';
import type { Garment, PrincipleScore, ScoreResult, Wearer } from './scoring.js';

/** What the model is asked: the verdict, the score, and everything the score was made from. */
export function writePrompt(
  catalogue: Catalogue,
  { garment, wearer, result }: { garment: Garment; wearer: Wearer; result: ScoreResult },
): string {
  const { attributes } = catalogue.garments;
  const details = Object.entries(garment.attributes).map(
    ([attribute, value]) => attributes[attribute]?.words[value],
  );
  return [
    `VERDICT: ${result.verdict}`,
    `SCORE: ${result.score.toFixed(1)}/10`,
    '',
    `GARMENT: ${garment.name}`,
    `  Category: ${garment.category}`,
    `  Style: ${garment.style}`,
    `  Details: ${details.join(', ')}`,
    '',
    // Not "USER": Bedrock reserves that word before a colon and refuses the training file.
    'WEARER:',
    `  Height: ${heightText(wearer.heightInches)}`,
    `  Body shape: ${wearer.bodyShape}`,
    `  Goals: ${wearer.goals.length > 0 ? wearer.goals.join(', ') : 'none'}`,
    '',
    'SCORING BREAKDOWN:',
    ...result.principles.map((entry) => `  ${entry.label}: ${signed(entry.score)} (${strengthOf(entry)})`),
    '',
    'Write the headline and pinch for this garment. Return valid JSON only.',
  ].join('\n');
}

export interface PromptFacts {
  readonly verdict: StylistVerdict;
  readonly bodyShape: string | null;
  readonly category: string | null;
  readonly style: string | null;
}

/** Reads back what a prompt says; null when it names no verdict. */
export function readPrompt(prompt: string): PromptFacts | null {
  const found = /^VERDICT:[ \t]*(\S+)[ \t]*$/m.exec(prompt)?.[1];
  const verdict = verdictIds.find((id) => id === found);
  if (!verdict) return null;
  const line = (label: string) =>
    new RegExp(`^[ \\t]*${label}:[ \\t]*(.+?)[ \\t]*$`, 'm').exec(prompt)?.[1] ?? null;
  return { verdict, bodyShape: line('Body shape'), category: line('Category'), style: line('Style') };
}

export function heightText(inches: number): string {
  return `${Math.floor(inches / 12)}'${Math.round(inches % 12)}"`;
}

function signed(score: number): string {
  return `${score < 0 ? '-' : '+'}${Math.abs(score).toFixed(2)}`;
}

function strengthOf({ score }: PrincipleScore): string {
  if (Math.abs(score) < 0.15) return 'neutral';
  return `${Math.abs(score) >= 0.5 ? 'strong' : 'mild'} ${score > 0 ? 'positive' : 'negative'}`;
}
