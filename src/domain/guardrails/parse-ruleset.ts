import { z } from 'zod';
import { PermanentFailure } from '../failures.js';
import type { JsonObject } from '../json.js';
import { checkDocument } from './check-document.js';
import { isFieldPath } from './fields.js';
import { inflect } from './inflect.js';
import { type ContextWindow, compilePattern, compilePhrases, type Lexicons, phraseSet } from './pattern.js';
import type { Rule, Ruleset } from './ruleset.js';
import {
  type PatternRuleData,
  type RuleData,
  type RulesetData,
  rulesetSchema,
  type UnlessData,
} from './ruleset-schema.js';
import type { StructuralPredicate } from './structural.js';
import { wordsOf } from './tokens.js';
import { foldLeet, foldWord } from './views.js';

/**
 * Makes a ruleset from its file's data. `hash` is the file's content hash, stamped on every violation.
 * Throws one `InvalidInput` that lists every fault by path; a rule whose own examples fail is a fault.
 */
export function parseRuleset(data: unknown, hash: string): Ruleset {
  const parsed = rulesetSchema.safeParse(data);
  if (!parsed.success) throw invalid(nameOf(data), describeIssues(parsed.error));
  const ruleset = parsed.data;
  const faults: string[] = [];
  const lexicons = compileLexicons(ruleset);
  ruleset.fields.forEach((path, index) => {
    if (!isFieldPath(path))
      faults.push(`fields[${index}]: "${path}" is not a path such as "headline" or "pinch[].text"`);
  });
  const rules = ruleset.rules.map((rule, index) => compileRule(rule, `rules[${index}]`, lexicons, faults));
  faults.push(...repeatedIds(ruleset.rules));
  const strongWords = compileStrongWords(ruleset, lexicons, faults);
  if (faults.length > 0) throw invalid(ruleset.id, faults);

  const { id, version, locale, fields } = ruleset;
  const compiled: Ruleset = { id, version, locale, hash, fields, rules, strongWords };
  const failed = ruleset.rules.flatMap((rule, index) => failedExamples(compiled, rule, `rules[${index}]`));
  if (failed.length > 0) throw invalid(ruleset.id, failed);
  return compiled;
}

function invalid(id: string, faults: readonly string[]): PermanentFailure {
  return new PermanentFailure(
    'InvalidInput',
    `The ruleset ${id} is not usable:\n  ${faults.join('\n  ')}`,
    faults,
  );
}

function nameOf(data: unknown): string {
  const id = typeof data === 'object' && data !== null && 'id' in data ? data.id : null;
  return typeof id === 'string' ? id : '(without id)';
}

function describeIssues(error: z.ZodError): string[] {
  return error.issues.map((issue) => `${z.core.toDotPath(issue.path) || '(top level)'}: ${issue.message}`);
}

function compileLexicons(ruleset: RulesetData): Lexicons {
  return new Map(
    Object.entries(ruleset.lexicons).map(([name, lexicon]) => {
      const entries = Array.isArray(lexicon)
        ? lexicon
        : lexicon.words.flatMap((word) => inflect(word.toLowerCase(), lexicon.inflect));
      const phrases = entries.flatMap((entry) => {
        const words = wordsOf(entry);
        return [words, words.map(foldWord)];
      });
      return [name, phraseSet(phrases)];
    }),
  );
}

function compileStrongWords(ruleset: RulesetData, lexicons: Lexicons, faults: string[]): Map<string, string> {
  const strong = new Map<string, string>();
  ruleset.strong.forEach((name, index) => {
    const lexicon = lexicons.get(name);
    if (!lexicon) faults.push(`strong[${index}]: the lexicon ${name} is not defined`);
    for (const phrase of [...(lexicon?.values() ?? [])].flat()) {
      const [word] = phrase;
      if (phrase.length === 1 && word && word.length >= 3) strong.set(foldLeet(foldWord(word)), word);
    }
  });
  return strong;
}

function repeatedIds(rules: readonly RuleData[]): string[] {
  return rules.flatMap((rule, index) => {
    const first = rules.findIndex((each) => each.id === rule.id);
    return first < index ? [`rules[${index}].id: "${rule.id}" is already used by rules[${first}]`] : [];
  });
}

function compileRule(rule: RuleData, path: string, lexicons: Lexicons, faults: string[]): Rule {
  const { id, severity, message, suggestion } = rule;
  const when = Object.fromEntries(
    Object.entries(rule.when).map(([key, value]) => [key, Array.isArray(value) ? value : [value]]),
  );
  const onFail = rule.onFail ?? (severity === 'BLOCK' ? ('regenerate' as const) : ('log' as const));
  const header = { id, rule: rule.rule, severity, message, suggestion, onFail, when };
  if (rule.kind === 'structural') {
    const predicate = structuralPredicate(rule);
    for (const each of predicatePaths(predicate)) {
      if (!isFieldPath(each)) faults.push(`${path}: "${each}" is not a path such as "pinch[].style"`);
    }
    return { ...header, kind: 'structural', predicate };
  }
  const patterns = rule.match.flatMap((source, index) =>
    attempt(faults, `${path}.match[${index}]`, source, () => compilePattern(source, lexicons)),
  );
  const unless = rule.unless.flatMap((window, index) =>
    compileWindow(window, `${path}.unless[${index}]`, lexicons, faults),
  );
  return { ...header, kind: 'pattern', patterns, unless, views: rule.views };
}

function structuralPredicate(rule: Exclude<RuleData, PatternRuleData>): StructuralPredicate {
  switch (rule.predicate) {
    case 'requireAny':
    case 'requireAll':
      return { predicate: rule.predicate, paths: rule.paths };
    case 'firstNot':
      return { predicate: rule.predicate, path: rule.path, skip: rule.skip, forbidden: rule.forbidden };
    case 'allowed':
      return { predicate: rule.predicate, paths: rule.paths, values: rule.values };
    case 'length':
      return { predicate: rule.predicate, paths: rule.paths, min: rule.min, max: rule.max };
    case 'noInvisibleCharacters':
      return { predicate: rule.predicate, paths: rule.paths };
  }
}

function predicatePaths(predicate: StructuralPredicate): readonly string[] {
  return 'path' in predicate ? [predicate.path] : (predicate.paths ?? []);
}

function compileWindow(
  window: UnlessData,
  path: string,
  lexicons: Lexicons,
  faults: string[],
): ContextWindow[] {
  const within = 'within' in window ? window.within : 1;
  for (const kind of ['followedBy', 'precededBy', 'headNoun', 'contains'] as const) {
    const source = (window as Partial<Record<typeof kind, string>>)[kind];
    if (source === undefined) continue;
    return attempt(faults, `${path}.${kind}`, source, () => ({
      kind,
      within,
      phrases: compilePhrases(source, lexicons),
    }));
  }
  return [];
}

function attempt<T>(faults: string[], path: string, source: string, compile: () => T): T[] {
  try {
    return [compile()];
  } catch (error) {
    faults.push(`${path}: "${source}" ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

function failedExamples(ruleset: Ruleset, rule: RuleData, path: string): string[] {
  const only = { ...ruleset, rules: ruleset.rules.filter((each) => each.id === rule.id) };
  const judge = (expected: 'hit' | 'miss') =>
    rule.examples[expected].flatMap((example, index) => {
      const found = typeof example === 'string' ? checkSentence(only, example) : checkExample(only, example);
      if ((found !== null) === (expected === 'hit')) return [];
      const shown = typeof example === 'string' ? `"${example}"` : JSON.stringify(example.document);
      const outcome = found === null ? 'is not found by' : `is found ("${found}") by`;
      return [`${path}.examples.${expected}[${index}]: ${shown} ${outcome} rule ${rule.id}`];
    });
  return [...judge('hit'), ...judge('miss')];
}

/** A sentence as an example stands for a document with one text, whatever the rule's `when` says. */
function checkSentence(ruleset: Ruleset, text: string): string | null {
  const rules = ruleset.rules.map((rule) => ({ ...rule, when: {} }));
  return checkExample({ ...ruleset, rules, fields: ['text'] }, { document: { text }, context: {} });
}

function checkExample(ruleset: Ruleset, example: { document: unknown; context: unknown }): string | null {
  const { document, context } = example as { document: JsonObject; context: JsonObject };
  const result = checkDocument(ruleset, document, context);
  const all = [...result.violations, ...result.warnings, ...(result.shadows ?? [])];
  const found = all.find((each) => ruleset.rules.some((rule) => rule.id === each.ruleId));
  return found ? found.text : null;
}
