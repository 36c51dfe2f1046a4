import type { JsonObject } from '../json.js';
import { type TextAt, textsAt, valuesAt } from './fields.js';
import { findMatches } from './pattern.js';
import type { GuardrailResult, PatternRule, Rule, Ruleset, Severity, Violation } from './ruleset.js';
import { findStructuralBreaks } from './structural.js';
import { viewsOf } from './views.js';

/** A longer text is not read and blocks: nothing unread may pass. */
export const textLimit = 20_000;
/** More texts than this in one document block. */
export const textCountLimit = 1_000;

/**
 * Checks every field of a document, and lists of texts also joined, so that a phrase cut in two is found.
 * `context` holds what the document was written about, for instance the verdict; rules may depend on it.
 */
export function checkDocument(ruleset: Ruleset, document: JsonObject, context: JsonObject): GuardrailResult {
  const found = new Findings(ruleset.hash);
  const rules = ruleset.rules.filter((rule) => applies(rule, document, context));
  const patternRules = rules.filter((rule) => rule.kind === 'pattern');
  const texts = distinctTexts(ruleset.fields.map((field) => textsAt(document, field)));
  for (const group of texts) {
    for (const each of group) checkText(ruleset, patternRules, [each], found);
    if (group.length > 1) checkText(ruleset, patternRules, group, found);
  }
  const count = texts.reduce((sum, group) => sum + group.length, 0);
  if (count > textCountLimit)
    found.addLimit('*', `The document has ${count} texts; ${textCountLimit} are read`);
  for (const rule of rules) {
    if (rule.kind !== 'structural') continue;
    for (const place of findStructuralBreaks(rule.predicate, document, ruleset.fields))
      found.add(rule, place);
  }
  return found.result();
}

/** Texts by field path, each text once although paths may overlap. */
function distinctTexts(groups: readonly TextAt[][]): TextAt[][] {
  const seen = new Set<string>();
  return groups.map((group) =>
    group.filter(({ path }) => {
      if (seen.has(path)) return false;
      seen.add(path);
      return true;
    }),
  );
}

function applies(rule: Rule, document: JsonObject, context: JsonObject): boolean {
  return Object.entries(rule.when).every(([path, allowed]) => {
    const inContext = valuesAt(context, path);
    const values = inContext.length > 0 ? inContext : valuesAt(document, path);
    return values.some(({ value }) => allowed.some((each) => each === value));
  });
}

/** Checks one text, or the texts of a list joined, where only matches across a seam are new. */
function checkText(
  ruleset: Ruleset,
  rules: readonly PatternRule[],
  texts: readonly TextAt[],
  found: Findings,
): void {
  const segments = texts.slice(0, textCountLimit).map((each) => ({ ...each, start: 0 }));
  let joined = '';
  for (const segment of segments) {
    if (joined !== '') joined += ' ';
    segment.start = joined.length;
    joined += segment.text.slice(0, textLimit);
    if (segment.text.length > textLimit && texts.length === 1) {
      found.addLimit(segment.path, `The text has ${segment.text.length} characters; ${textLimit} are read`);
    }
  }
  if (rules.length === 0) return;
  for (const { view, tokens } of viewsOf(joined, ruleset.strongWords)) {
    for (const rule of rules) {
      if (!rule.views.includes(view)) continue;
      for (const pattern of rule.patterns) {
        for (const match of findMatches(tokens, pattern, rule.unless)) {
          const start = tokens[match.start]?.start ?? 0;
          const end = tokens[match.end - 1]?.end ?? start;
          found.addMatch(rule, segments, start, end);
        }
      }
    }
  }
}

/** As many of one severity are reported; the verdict is known long before. */
const violationLimit = 1_000;

interface Segment extends TextAt {
  readonly start: number;
}

/** Collects violations: one per rule and place, whichever view saw it first. */
class Findings {
  private readonly bySeverity: Record<Severity, Violation[]> = { BLOCK: [], WARN: [], SHADOW: [] };

  constructor(private readonly rulesetHash: string) {}

  add(
    rule: Pick<Rule, 'id' | 'rule' | 'severity' | 'message' | 'suggestion'>,
    place: { field: string; span: readonly [number, number]; text: string },
  ): void {
    const list = this.bySeverity[rule.severity];
    const known = list.some(
      (each) =>
        each.ruleId === rule.id &&
        each.field === place.field &&
        each.span[0] <= place.span[1] &&
        place.span[0] <= each.span[1],
    );
    if (known || list.length >= violationLimit) return;
    const { message, suggestion } = rule;
    const { field, span, text } = place;
    list.push({
      ruleId: rule.id,
      rule: rule.rule,
      severity: rule.severity,
      field,
      span,
      text,
      message,
      suggestion,
      rulesetHash: this.rulesetHash,
    });
  }

  /** A match over a seam is reported in the segment where it begins, with the rest named in the message. */
  addMatch(rule: PatternRule, segments: readonly Segment[], start: number, end: number): void {
    const touched = segments.filter((each) => each.start < end && each.start + each.text.length > start);
    const [first] = touched;
    if (!first || (segments.length > 1 && touched.length < 2)) return;
    const span = [start - first.start, Math.min(end - first.start, first.text.length)] as const;
    const rest = touched.slice(1).map((each) => each.path);
    const message = rest.length > 0 ? `${rule.message} (continues in ${rest.join(', ')})` : rule.message;
    this.add({ ...rule, message }, { field: first.path, span, text: first.text.slice(...span) });
  }

  addLimit(field: string, message: string): void {
    const rule = {
      id: 'F.limit',
      rule: 0,
      severity: 'BLOCK' as const,
      message,
      suggestion: 'Answer in fewer words',
    };
    this.add(rule, { field, span: [0, 0], text: '' });
  }

  result(): GuardrailResult {
    const { BLOCK, WARN, SHADOW } = this.bySeverity;
    return { passed: BLOCK.length === 0, violations: BLOCK, warnings: WARN, shadows: SHADOW };
  }
}
