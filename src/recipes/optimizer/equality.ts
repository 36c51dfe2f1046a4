import { canonicalJson } from '../../domain/json.js';
import type { Constraint, OptimizationModel, Terms } from './model.js';
import { nameKey } from './names.js';

/** The same structure to the letter, but for the order of members and constraints and the objective's name. */
export function isSameStructure(a: OptimizationModel, b: OptimizationModel): boolean {
  return structureOf(a) === structureOf(b);
}

/** The same mathematics: names aligned, constraints as a set whatever their order, side and scale. */
export function isSameMathematics(a: OptimizationModel, b: OptimizationModel): boolean {
  return mathematicsOf(a) === mathematicsOf(b);
}

function structureOf({ variables, objective, constraints }: OptimizationModel): string {
  return canonicalJson({
    variables: [...variables].sort(),
    direction: objective.direction,
    terms: objective.terms,
    constraints: constraints.map(canonicalJson).sort(),
  });
}

function mathematicsOf(model: OptimizationModel): string {
  const keyOf = keysOf(model);
  const aligned = (terms: Terms) => alignTerms(terms, keyOf);
  const variables = [...new Set(model.variables.map(keyOf))].sort();
  return canonicalJson({
    variables,
    direction: model.objective.direction,
    terms: aligned(model.objective.terms).map(([key, value]) => [key, significant(value)]),
    constraints: [...new Set(model.constraints.map((each) => normalForm(each, aligned)))].sort(),
  });
}

/** Names without their grammar, unless that would make two variables one. */
function keysOf(model: OptimizationModel): (name: string) => string {
  const keys = model.variables.map(nameKey);
  const areDistinct = new Set(keys).size === new Set(model.variables).size;
  return areDistinct ? nameKey : (name) => name.trim().toLowerCase();
}

function alignTerms(terms: Terms, keyOf: (name: string) => string): [string, number][] {
  const sums = new Map<string, number>();
  for (const [name, value] of Object.entries(terms))
    sums.set(keyOf(name), (sums.get(keyOf(name)) ?? 0) + value);
  return [...sums].filter(([, value]) => value !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** `>=` turned into `<=`, an equation led by a positive term, and the greatest coefficient scaled to 1. */
function normalForm(constraint: Constraint, aligned: (terms: Terms) => [string, number][]): string {
  const terms = aligned(constraint.terms);
  const greatest = Math.max(0, ...terms.map(([, value]) => Math.abs(value)));
  const leads = terms[0]?.[1] ?? 1;
  const isTurned = constraint.operator === '>=' || (constraint.operator === '=' && leads < 0);
  const factor = (isTurned ? -1 : 1) / (greatest || 1);
  return canonicalJson({
    terms: terms.map(([key, value]) => [key, significant(value * factor)]),
    operator: constraint.operator === '=' ? '=' : '<=',
    limit: significant(constraint.limit * factor),
  });
}

/** Eight significant digits: a third stays a third however it was rounded. */
function significant(value: number): number {
  const round = Number(value.toPrecision(8));
  return round === 0 ? 0 : round;
}
