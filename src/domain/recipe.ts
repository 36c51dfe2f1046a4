import type { DatasetRecord, Turn } from './dataset.js';
import type { CaseScore, EvaluationCase } from './evaluation/evaluation.js';
import type { GatePolicy } from './evaluation/gate-policy.js';
import type { GuardrailResult } from './guardrails/ruleset.js';
import type { Json, JsonObject } from './json.js';
import type { RecipeDefaults } from './run-spec.js';

/** A row that a recipe cannot turn into a record. The pipeline adds file, line and byte offset. */
export interface RowProblem {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

export type RowResult =
  | { readonly record: DatasetRecord }
  | { readonly problem: RowProblem }
  /** Readable but of no use for training: counted under this reason, without refusing the dataset. */
  | { readonly leftOut: string };

/** A product's own way to make training records without any source file. */
export interface RecipeBuilder {
  /** Names of the ways to build, for instance `phrase-bank`; the first is the default. */
  readonly backends: readonly string[];
  /** Deterministic in its input: same input, same records in the same order. Exactly `records` of them. */
  build(input: { backend: string; records: number; seed: number }): Iterable<DatasetRecord>;
}

/** The path that uses the model: deterministic before and after the one model call. */
export interface RecipeInference {
  /** Scores the request and writes the prompt. Throws `PermanentFailure('InvalidInput')` on a bad request. */
  prepare(request: unknown): PreparedInference;
  /** Builds the UI-ready response from the model's raw answer, or says why the answer is unusable. */
  respond(context: JsonObject, answer: string): { response: JsonObject } | { fault: string };
  /** A response written without the model; attempts differ. Null when there is none (left). */
  phraseBank(context: JsonObject, attempt: number): JsonObject | null;
  /** The last resort: always valid, checked against the ruleset when the recipe loads. */
  safeTemplate(context: JsonObject): JsonObject;
}

export interface PreparedInference {
  readonly system: string | null;
  readonly turns: readonly Turn[];
  /** What the deterministic functions need again after the model has answered. */
  readonly context: JsonObject;
}

/** What a server of the recipe's models is told; `recipes/<name>/serving.json`. */
export interface ServingParameters {
  /** The system message where a request brings none. */
  readonly system: string | null;
  /** The chat template; null for the one that the model's file carries. */
  readonly template: string | null;
  readonly temperature: number;
  /** Prompt and answer together. */
  readonly contextTokens: number;
  readonly maximumAnswerTokens: number;
  /** Texts that end an answer, besides the model's own end token. */
  readonly stop: readonly string[];
}

/**
 * Everything particular to one product. Data lives in `recipes/<name>/`, code in `src/recipes/<name>/`;
 * the core knows neither. Used by activities, never by workflows.
 */
export interface Recipe {
  readonly name: string;
  readonly description: string;
  /** SHA-256 over the recipe's data files and its code version: changes when its behaviour may change. */
  readonly contentHash: string;
  /** The parts of a run spec that the recipe supplies when the user does not. */
  readonly defaults: RecipeDefaults;
  readonly rulesetHash: string;
  /** Gate policies by name. */
  readonly policies: Readonly<Record<string, GatePolicy>>;
  /** Suites by name; what `EvaluationCase`s each makes is `suite()`'s business. */
  readonly suites: readonly string[];
  /** Null leaves everything to the server and to the defaults of inference. */
  readonly serving: ServingParameters | null;
  readonly builder: RecipeBuilder | null;
  /** JSON Schema of a raw answer, to which servers that can hold the model; none where answers are free text. */
  readonly answerSchema?: JsonObject;
  /** Seconds that the product gives a model to answer in `infer`; the target's own where it does not care. */
  readonly answerSeconds?: number;

  /** Maps one parsed JSON row that is not already a conversation, for instance a word problem. */
  mapRow(row: JsonObject, origin: { source: string; index: number }): RowResult;
  /** Completes a record that was read from a ready conversation: group key and label. */
  annotate(record: DatasetRecord): RowResult;
  /** Applies the product's output rules to an answer document (or a record's answer). */
  checkAnswer(document: JsonObject, context: JsonObject): GuardrailResult;
  /** Parses a record's or a model's answer text into the document the ruleset and the UI know. */
  parseAnswer(answer: string): { document: JsonObject } | { fault: string };

  /** The questions that validation asks; `heldOut` are the records of the validation split. */
  suite(input: {
    suite: string;
    samples: number;
    seed: number;
    heldOut: readonly DatasetRecord[];
  }): EvaluationCase[];
  /** Judges one raw answer. Never throws on a bad answer: a bad answer is a low score. */
  score(question: EvaluationCase, answer: string): CaseScore;

  readonly inference: RecipeInference | null;
}

export type RecipeRequest = Json;
