import type { Turn } from '../dataset.js';
import type { Violation } from '../guardrails/ruleset.js';
import type { Json, JsonObject } from '../json.js';

/** `inconclusive`: measured, but not enough to tell. `error`: could not be measured. */
export const verdicts = ['passed', 'failed', 'inconclusive', 'error'] as const;
export type Verdict = (typeof verdicts)[number];

/** One question put to a deployed model, with what is needed to judge the answer. */
export interface EvaluationCase {
  readonly id: string;
  readonly groupKey: string;
  readonly system: string | null;
  readonly turns: readonly Turn[];
  /** Recipe-specific: what a right answer looks like, and the request it came from. */
  readonly expected: Json;
}

/** How one raw first answer did. */
export interface CaseScore {
  /** The parsed answer, checked against the ruleset; null where it is not what the format asks for. */
  readonly document: JsonObject | null;
  /** Why `document` is null, for instance `not JSON: Unexpected token`. */
  readonly formatFault: string | null;
  /** Named measurements; null means "could not be measured on this case", never zero. */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** Wanted and given value of this case, by name; over all cases they make `<name>.correlation`. */
  readonly pairs?: Readonly<Record<string, readonly [wanted: number, given: number]>>;
}

/** A scored answer as it stands in the answers file of the report. */
export interface ScoredAnswer {
  readonly caseId: string;
  readonly question: string;
  readonly answer: string;
  readonly expected: Json;
  readonly score: CaseScore;
  readonly violations: readonly Violation[];
  readonly latencyMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Aggregates over all cases, keyed as gate policies name them; null means nobody could measure it. */
export type Metrics = Readonly<Record<string, number | null>>;
