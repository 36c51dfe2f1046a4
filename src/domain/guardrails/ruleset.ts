import type { CompiledPattern, ContextWindow } from './pattern.js';
import type { StructuralPredicate } from './structural.js';
import type { View } from './views.js';

/** BLOCK: never shown. WARN: shown and counted. SHADOW: counted only; where new rules start. */
export type Severity = 'BLOCK' | 'WARN' | 'SHADOW';

/** One place where a text breaks a rule. */
export interface Violation {
  readonly ruleId: string;
  /** The number of the product's rule this implements, for instance 1 to 7 for the stylist. */
  readonly rule: number;
  readonly severity: Severity;
  /** Path of the field, for instance `pinch[2].text`. */
  readonly field: string;
  /** Start and end in UTF-16 units within the original field. */
  readonly span: readonly [start: number, end: number];
  /** The exact original substring. */
  readonly text: string;
  readonly message: string;
  readonly suggestion: string;
  readonly rulesetHash: string;
}

/** `passed` means no BLOCK. */
export interface GuardrailResult {
  readonly passed: boolean;
  /** Severity BLOCK. */
  readonly violations: readonly Violation[];
  /** Severity WARN. */
  readonly warnings: readonly Violation[];
  /** Severity SHADOW. */
  readonly shadows?: readonly Violation[];
}

/** What to do with an answer that breaks the rule; read by inference and by people. */
export type OnFail = 'regenerate' | 'repair' | 'log';

interface RuleHeader {
  readonly id: string;
  readonly rule: number;
  readonly severity: Severity;
  readonly message: string;
  readonly suggestion: string;
  readonly onFail: OnFail;
  /** The rule applies only where these paths of the context or the document have one of these values. */
  readonly when: Readonly<Record<string, readonly (string | number | boolean | null)[]>>;
}

export interface PatternRule extends RuleHeader {
  readonly kind: 'pattern';
  readonly patterns: readonly CompiledPattern[];
  readonly unless: readonly ContextWindow[];
  readonly views: readonly View[];
}

export interface StructuralRule extends RuleHeader {
  readonly kind: 'structural';
  readonly predicate: StructuralPredicate;
}

export type Rule = PatternRule | StructuralRule;

/** A ruleset ready to check documents; made by `parseRuleset` alone, which has proved its examples. */
export interface Ruleset {
  readonly id: string;
  readonly version: string;
  readonly locale: string;
  /** Content hash of the file, stamped on every violation. */
  readonly hash: string;
  /** Paths of the texts that users see; `*` means every text of the document. */
  readonly fields: readonly string[];
  readonly rules: readonly Rule[];
  /** Words recognised through leet spelling and separators: folded spelling → word. */
  readonly strongWords: ReadonlyMap<string, string>;
}
