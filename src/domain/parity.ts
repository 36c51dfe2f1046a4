import type { Quantization } from './artifact.js';
import type { Turn } from './dataset.js';
import type { Verdict } from './evaluation/evaluation.js';

/** A question of which the answer is compared between the trained model and what it became. */
export interface GoldenPrompt {
  readonly id: string;
  readonly system: string | null;
  readonly turns: readonly Turn[];
}

/** What a runtime must take from a file to speak to the model as training did; null where it says nothing. */
export interface RuntimeSettings {
  readonly chatTemplateSha256: string | null;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly contextLength: number | null;
}

/** The trained model's own first answer: greedy, its end of turn included where it came to it. */
export interface ReferenceAnswer {
  readonly id: string;
  readonly promptTokens: readonly number[];
  readonly answerTokens: readonly number[];
  /** Natural logarithm of the probability of all answer tokens together. */
  readonly logLikelihood: number;
  readonly endsTurn: boolean;
  readonly text: string;
}

export interface ParityReference {
  readonly settings: RuntimeSettings;
  readonly answers: readonly ReferenceAnswer[];
}

/** What a file makes of one golden prompt and of the trained model's answer to it. */
export interface FileAnswer {
  readonly id: string;
  readonly promptTokens: readonly number[];
  /** What the file would say at each place of the trained model's answer. */
  readonly chosenTokens: readonly number[];
  /** Of the trained model's answer. */
  readonly logLikelihood: number;
  /** Its own greedy answer. */
  readonly text: string;
  /** How that begins wherever the file is served: up to where it hesitates. Was not always measured. */
  readonly certainText?: string;
}

export interface FileMeasurement {
  readonly format: Quantization;
  readonly settings: RuntimeSettings | null;
  /** Why it could not be measured; null where it could. */
  readonly problem: string | null;
  readonly answers: readonly FileAnswer[];
}

export interface ServedAnswer {
  readonly id: string;
  readonly inputTokens: number;
  readonly text: string;
}

/** Shares, from 0 to 1, of the same answers of two models. */
export interface AnswerQuality {
  /** Answers that are JSON. */
  readonly jsonValid: number;
  /** Mean of the shares that the recipe scores. */
  readonly score: number;
}

/** How far a converted model may be from the trained one. Prompt tokens and settings may not differ at all. */
export interface ParityTolerance {
  /** Least share of the answer tokens that both models choose. */
  readonly agreement: number;
  /** Most times by which the trained model's answers may become less expected: perplexity ÷ its own. */
  readonly perplexityRatio: number;
  /** How much the share of valid JSON, and the score, may fall. */
  readonly jsonValidDrop: number;
  readonly scoreDrop: number;
}

/** Some room above what was measured on a very small model: docs/decisions/0035 has the figures. */
export const defaultTolerances: Readonly<Record<Quantization, ParityTolerance>> = {
  f16: { agreement: 0.9, perplexityRatio: 1.02, jsonValidDrop: 0.13, scoreDrop: 0.13 },
  q8_0: { agreement: 0.85, perplexityRatio: 1.05, jsonValidDrop: 0.13, scoreDrop: 0.13 },
  q5_k_m: { agreement: 0.7, perplexityRatio: 1.5, jsonValidDrop: 0.25, scoreDrop: 0.25 },
  q4_k_m: { agreement: 0.7, perplexityRatio: 1.4, jsonValidDrop: 0.25, scoreDrop: 0.25 },
  q4_0: { agreement: 0.6, perplexityRatio: 1.7, jsonValidDrop: 0.25, scoreDrop: 0.25 },
};

/** Least share of what the same file answers without hesitation that a served answer must begin with. */
export const servedAgreement = 0.9;

/** What the parity check works with, as a run resolves it. */
export interface ParityPlan {
  readonly prompts: number;
  readonly answerTokens: number;
  /** Of the file that is served. */
  readonly tolerance: ParityTolerance;
}

/** One line of the parity table. Null where nothing was measured. */
export interface ParityRow {
  /** `trained`, a quantization, or `served`. */
  readonly runtime: string;
  /** Whether a difference rejects the model; other lines are for comparison. */
  readonly decides: boolean;
  readonly prompts: number;
  /** Golden prompts that became the very tokens that training would have made of them. */
  readonly samePrompts: number | null;
  readonly agreement: number | null;
  /** Of the trained model's answers. */
  readonly perplexity: number | null;
  readonly jsonValid: number | null;
  readonly score: number | null;
  /** What differs by more than is allowed: found, expected, remedy. */
  readonly findings: readonly string[];
}

export function trainedRow(reference: ParityReference, quality: AnswerQuality): ParityRow {
  const prompts = reference.answers.length;
  const perplexity = perplexityOf(reference.answers, reference);
  return {
    runtime: 'trained',
    decides: false,
    prompts,
    samePrompts: prompts,
    agreement: 1,
    perplexity,
    ...quality,
    findings: [],
  };
}

export interface FileComparison {
  readonly reference: ParityReference;
  readonly trained: AnswerQuality;
  readonly file: FileMeasurement;
  /** Null where the file could not be asked. */
  readonly quality: AnswerQuality | null;
  readonly tolerance: ParityTolerance;
  readonly decides: boolean;
}

/** Compares a file with the trained model. */
export function fileRow({
  reference,
  trained,
  file,
  quality,
  tolerance,
  decides,
}: FileComparison): ParityRow {
  const { format, settings, problem, answers } = file;
  const differences = settings === null ? [] : settingsFindings(format, settings, reference.settings);
  const common = { runtime: format, decides, prompts: reference.answers.length };
  if (problem !== null || quality === null) {
    const unasked = `${format}: could not be asked: ${problem ?? 'it gave no answers'}`;
    const nothing = { samePrompts: null, agreement: null, perplexity: null, jsonValid: null, score: null };
    return { ...common, ...nothing, findings: [...differences, unasked] };
  }
  const samePrompts = answers.filter((answer, index) =>
    areEqual(answer.promptTokens, reference.answers[index]?.promptTokens ?? []),
  ).length;
  const agreement = agreementOf(answers, reference);
  const perplexity = perplexityOf(answers, reference);
  const row = { ...common, samePrompts, agreement, perplexity, ...quality };
  const findings = [
    ...differences,
    ...promptFindings(format, answers, reference),
    ...distanceFindings(row, perplexityOf(reference.answers, reference), tolerance, trained),
  ];
  return { ...row, findings };
}

/** Compares what a deployment answers with what its file answers, and with the tokens that training makes. */
export function servedRow(input: {
  readonly reference: ParityReference;
  readonly file: FileMeasurement;
  readonly answers: readonly ServedAnswer[];
  readonly quality: AnswerQuality | null;
  /** Why the deployment could not be asked; null where it could. */
  readonly problem: string | null;
}): ParityRow {
  const { reference, file, answers, quality, problem } = input;
  const common = {
    runtime: 'served',
    decides: true,
    prompts: reference.answers.length,
    perplexity: null,
    jsonValid: quality?.jsonValid ?? null,
    score: quality?.score ?? null,
  };
  if (problem !== null) {
    const findings = [`served: could not be asked: ${problem}`];
    return { ...common, samePrompts: null, agreement: null, findings };
  }
  const others = answers.filter(
    ({ inputTokens }, index) => inputTokens !== reference.answers[index]?.promptTokens.length,
  );
  const agreement = servedShare(answers, file.answers);
  const [first] = others;
  const findings = [
    ...(first
      ? [
          `served: prompt ${first.id} has ${first.inputTokens} tokens there, and ${reference.answers.find(({ id }) => id === first.id)?.promptTokens.length} in training (${others.length} of ${answers.length} prompts differ). ${remedies.servedPrompt}`,
        ]
      : []),
    ...(agreement < servedAgreement
      ? [
          `served: the deployment's answers share ${percent(agreement)} with what its own file answers without hesitation; at least ${percent(servedAgreement)} is required. ${remedies.served}`,
        ]
      : []),
  ];
  return { ...common, samePrompts: answers.length - others.length, agreement, findings };
}

/** `failed` where a line that decides has a finding, `error` where nothing was asked. */
export function decideParity(rows: readonly ParityRow[]): Verdict {
  const deciding = rows.filter(({ decides }) => decides);
  if (deciding.some(({ findings }) => findings.length > 0)) return 'failed';
  return deciding.some(({ prompts }) => prompts > 0) ? 'passed' : 'error';
}

/** The findings that decided, for the stage's note and the reason of a rejection. */
export function decisiveFindings(rows: readonly ParityRow[]): string[] {
  return rows.filter(({ decides }) => decides).flatMap(({ findings }) => findings);
}

export const parityHead = [
  'Runtime',
  'Prompts',
  'Agreement',
  'Perplexity',
  'JSON',
  'Score',
  'Parity',
] as const;

/** A line of the table as text, in the order of `parityHead`. */
export function parityCells(row: ParityRow): string[] {
  const { runtime, samePrompts, prompts, agreement, perplexity, jsonValid, score, findings, decides } = row;
  const state = findings.length === 0 ? 'same' : decides ? 'differs' : 'differs (for comparison)';
  return [
    runtime,
    samePrompts === null ? '–' : `${samePrompts} of ${prompts}`,
    agreement === null ? '–' : percent(agreement),
    perplexity === null ? '–' : perplexity.toPrecision(4),
    jsonValid === null ? '–' : percent(jsonValid),
    score === null ? '–' : percent(score),
    runtime === 'trained' ? '' : state,
  ];
}

const remedies = {
  chatTemplateSha256:
    "The chat template decides every token of a prompt. Remedy: put the base model's own template back (chat_template.jinja or tokenizer_config.json) and convert again.",
  eosTokenId:
    'With another end token the model does not know when to stop, or stops at once. Remedy: convert again with the eos_token of the tokenizer that training used.',
  bosTokenId: 'Remedy: convert again with the bos_token of the tokenizer that training used.',
  contextLength:
    "Prompts are cut off, or positions are counted that training never saw. Remedy: convert again with the base model's own config.json (max_position_embeddings).",
  prompt:
    'The file writes the same conversation in other tokens. Remedy: compare chat template, BOS and tokenizer with those of the base model, and convert again.',
  weights:
    'Prompts and settings are the same, so the weights are not: the wrong base model under the adapter, an adapter that was not merged, another adapter, or a file damaged after it was written. Remedy: name the base model that the adapter was trained on, and convert again.',
  quantization:
    'Remedy: choose a quantization that loses less (q8_0, f16), or allow it with conversion.parity in the run spec.',
  servedPrompt:
    'Remedy: let the server use the template of the file, and see that it adds no BOS or system text of its own.',
  served:
    'Remedy: see that the server loads this file, or this adapter on its base model, and no other, with temperature 0 for this check, without system text or stop words of its own, and with room for prompt and answer in its context.',
} as const;

function settingsFindings(format: string, found: RuntimeSettings, expected: RuntimeSettings): string[] {
  const names = ['chatTemplateSha256', 'eosTokenId', 'bosTokenId', 'contextLength'] as const;
  return names
    .filter((name) => expected[name] !== null && found[name] !== expected[name])
    .map(
      (name) =>
        `${format}: ${name} is ${found[name] ?? 'missing'} in the file, and ${expected[name]} in the trained model. ${remedies[name]}`,
    );
}

function promptFindings(
  format: string,
  answers: readonly FileAnswer[],
  { answers: expected }: ParityReference,
): string[] {
  const others = answers.filter(
    ({ promptTokens }, index) => !areEqual(promptTokens, expected[index]?.promptTokens ?? []),
  );
  const [first] = others;
  if (!first) return [];
  const right = expected.find(({ id }) => id === first.id)?.promptTokens ?? [];
  const length = Math.max(right.length, first.promptTokens.length);
  const at = Array.from({ length }).findIndex((_, index) => right[index] !== first.promptTokens[index]);
  const name = (token: number | undefined) => (token === undefined ? 'no token' : `token ${token}`);
  return [
    `${format}: prompt ${first.id} has ${name(first.promptTokens[at])} at place ${at + 1}, and ${name(right[at])} in training (${others.length} of ${answers.length} prompts differ). ${remedies.prompt}`,
  ];
}

/** Far beyond every quantization: then the weights are others. */
const wrongWeightsRatio = 3;

function distanceFindings(
  row: Omit<ParityRow, 'findings'>,
  trainedPerplexity: number,
  tolerance: ParityTolerance,
  trained: AnswerQuality,
): string[] {
  const { runtime, agreement, perplexity, jsonValid, score } = row;
  if (agreement === null || perplexity === null || jsonValid === null || score === null) return [];
  const ratio = perplexity / trainedPerplexity;
  const isForeign = ratio > wrongWeightsRatio && ratio > tolerance.perplexityRatio;
  const remedy = isForeign ? remedies.weights : remedies.quantization;
  const found: string[] = [];
  if (agreement < tolerance.agreement) {
    found.push(
      `${runtime}: it chooses ${percent(agreement)} of the trained model's answer tokens; at least ${percent(tolerance.agreement)} is required.`,
    );
  }
  if (!(ratio <= tolerance.perplexityRatio)) {
    found.push(
      `${runtime}: the perplexity of the trained model's answers is ${perplexity.toPrecision(4)}, ${ratio.toPrecision(3)} times that in training; at most ${tolerance.perplexityRatio} times is allowed.`,
    );
  }
  if (trained.jsonValid - jsonValid > tolerance.jsonValidDrop) {
    found.push(
      `${runtime}: ${percent(jsonValid)} of the answers are JSON, and ${percent(trained.jsonValid)} of the trained model's; it may fall by ${percent(tolerance.jsonValidDrop)}.`,
    );
  }
  if (trained.score - score > tolerance.scoreDrop) {
    found.push(
      `${runtime}: its answers score ${percent(score)}, and the trained model's ${percent(trained.score)}; it may fall by ${percent(tolerance.scoreDrop)}.`,
    );
  }
  return found.map((text) => `${text} ${remedy}`);
}

function agreementOf(answers: readonly FileAnswer[], { answers: expected }: ParityReference): number {
  let same = 0;
  let all = 0;
  for (const [index, { answerTokens }] of expected.entries()) {
    all += answerTokens.length;
    same += answerTokens.filter((token, place) => answers[index]?.chosenTokens[place] === token).length;
  }
  return all === 0 ? 0 : same / all;
}

function perplexityOf(
  answers: readonly { readonly logLikelihood: number }[],
  { answers: expected }: ParityReference,
): number {
  const tokens = expected.reduce((sum, { answerTokens }) => sum + answerTokens.length, 0);
  return Math.exp(-answers.reduce((sum, { logLikelihood }) => sum + logLikelihood, 0) / Math.max(tokens, 1));
}

/**
 * How much of its file's answers a deployment gives, from their beginnings to where the file hesitates; where it does
 * so at every first token, whole answers are compared.
 */
function servedShare(answers: readonly ServedAnswer[], own: readonly FileAnswer[]): number {
  const certain = own.filter(({ certainText }) => certainText !== '');
  const shares = (certain.length > 0 ? certain : own).map(({ id, text, certainText }) => {
    const answer = answers.find((each) => each.id === id)?.text ?? '';
    if (!certainText) return commonLength(answer, text) / Math.max(answer.length, text.length, 1);
    // A certain end is a part of the answer, too.
    const expected = certainText === text ? Math.max(answer.length, text.length) : certainText.length;
    return commonLength(answer, certainText) / expected;
  });
  return mean(shares);
}

/** Characters that are equal from the beginning. */
function commonLength(first: string, second: string): number {
  let common = 0;
  while (common < first.length && first[common] === second[common]) common++;
  return common;
}

function areEqual(first: readonly number[], second: readonly number[]): boolean {
  return first.length === second.length && first.every((token, index) => token === second[index]);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
