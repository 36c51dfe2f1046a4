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
  readonly violations: readonly Violation[];
  readonly warnings: readonly Violation[];
}
