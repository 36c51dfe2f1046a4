import { createHash } from 'node:crypto';
import type { DatasetRecord } from '../../domain/dataset.js';
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.js';
import type { RowResult } from '../../domain/recipe.js';
import {
  type Constraint,
  type OptimizationModel,
  optimizationModelSchema,
  parseModel,
  renderModel,
  type Terms,
} from './model.js';
import { findVariable, findVariableByWords } from './names.js';
import { parseQuantity, rounded } from './quantities.js';

/**
 * Maps `{problem, model}` rows, and rows of the NL4Opt competition (`document`, `vars`, `obj_declaration`,
 * `const_declarations`), whose typed constraints become linear ones.
 */
export function createRowMapper(systemPrompt: string) {
  return (row: JsonObject, origin: { source: string; index: number }): RowResult => {
    try {
      const { problem, model } = 'document' in row ? readCompetitionRow(row) : readPlainRow(row);
      return {
        record: toRecord({ id: idOf(row, problem), problem, model, systemPrompt, source: origin.source }),
      };
    } catch (error) {
      if (error instanceof IncompleteRow) return { leftOut: 'IncompleteModel' };
      if (error instanceof RowFault) return { problem: error.problem };
      throw error;
    }
  };
}

/** Completes a ready conversation: grouped by its problem, labelled by its objective's direction. */
export function annotateRecord(record: DatasetRecord): RowResult {
  const parsed = parseModel(record.turns.at(-1)?.text ?? '');
  const label = 'model' in parsed ? parsed.model.objective.direction : null;
  return { record: { ...record, groupKey: groupKeyOf(record.turns[0]?.text ?? ''), label } };
}

class RowFault extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly remedy: string,
  ) {
    super(message);
  }

  get problem() {
    return { code: this.code, message: this.message, remedy: this.remedy };
  }
}

/** A competition row whose annotators left coefficients out: readable, but nothing to learn from. */
class IncompleteRow extends Error {}

interface Problem {
  readonly problem: string;
  readonly model: OptimizationModel;
}

function toRecord(
  input: Problem & { readonly id: string; readonly systemPrompt: string; readonly source: string },
): DatasetRecord {
  return {
    id: input.id,
    groupKey: groupKeyOf(input.problem),
    system: input.systemPrompt,
    turns: [
      { role: 'user', text: input.problem },
      { role: 'assistant', text: renderModel(input.model) },
    ],
    label: input.model.objective.direction,
    source: input.source,
    quality: null,
    weight: 1,
  };
}

/** Wording alone, so that the same problem with other spacing or case stays in one split. */
function groupKeyOf(problem: string): string {
  return sha256(problem.toLowerCase().replace(/\s+/g, ' ').trim()).slice(0, 24);
}

function idOf(row: JsonObject, problem: string): string {
  const { id } = row;
  return (typeof id === 'string' && id !== '') || typeof id === 'number'
    ? `problem-${id}`
    : sha256(problem).slice(0, 24);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function readPlainRow(row: JsonObject): Problem {
  const { problem, model } = row;
  if (typeof problem !== 'string' || problem.trim() === '') {
    throw missing(
      'problem',
      row,
      'Write rows as {"problem": "…", "model": {"variables": […], "objective": {…}, "constraints": […]}}.',
    );
  }
  const parsed = optimizationModelSchema.safeParse(withNumbers(model ?? null));
  if (parsed.success) return { problem: problem.trim(), model: parsed.data };
  const [issue] = parsed.error.issues;
  throw new RowFault(
    'InvalidModel',
    `model${issue?.path.map((step) => `.${String(step)}`).join('') ?? ''}: ${issue?.message ?? 'is not a model'}`,
    'Give variables, objective {direction, name, terms} and constraints [{terms, operator, limit}] with numbers.',
  );
}

/** Numbers that were written as text become numbers, where nothing but a number can stand. */
function withNumbers(model: Json): Json {
  if (!isJsonObject(model)) return model;
  const terms = (value: Json | undefined): Json =>
    isJsonObject(value)
      ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, parseQuantity(each) ?? each]))
      : (value ?? null);
  const { objective, constraints } = model;
  return {
    ...model,
    objective: isJsonObject(objective)
      ? { ...objective, terms: terms(objective.terms) }
      : (objective ?? null),
    constraints: Array.isArray(constraints)
      ? constraints.map((each) =>
          isJsonObject(each)
            ? { ...each, terms: terms(each.terms), limit: parseQuantity(each.limit) ?? each.limit ?? null }
            : each,
        )
      : (constraints ?? null),
  };
}

function missing(member: string, row: JsonObject, remedy: string): RowFault {
  const found = Object.keys(row).slice(0, 8).join(', ') || 'nothing';
  return new RowFault('MissingMember', `"${member}" is missing or empty; found: ${found}`, remedy);
}

function readCompetitionRow(row: JsonObject): Problem {
  const { document, vars, obj_declaration: objective, const_declarations: constraints } = row;
  const remedy = 'Give document, vars, obj_declaration and const_declarations, as NL4Opt has them.';
  if (typeof document !== 'string' || document.trim() === '') throw missing('document', row, remedy);
  if (!Array.isArray(vars) || vars.length === 0) throw missing('vars', row, remedy);
  if (!isJsonObject(objective)) throw missing('obj_declaration', row, remedy);
  if (!Array.isArray(constraints)) throw missing('const_declarations', row, remedy);
  const reader = new DeclarationReader(vars.map(String), row.order_mapping ?? null);
  return {
    problem: document.trim(),
    model: {
      variables: reader.variables,
      objective: reader.objective(objective),
      constraints: constraints.map((each, index) => reader.constraint(each, `const_declarations[${index}]`)),
    },
  };
}

/** Reads declarations whose names, numbers and directions are written as people write them. */
class DeclarationReader {
  readonly variables: string[];

  constructor(
    variables: readonly string[],
    private readonly positions: Json,
  ) {
    this.variables = variables.map((name) => name.trim());
  }

  objective(declaration: JsonObject): OptimizationModel['objective'] {
    const { direction, name, terms, vars } = declaration;
    const path = 'obj_declaration';
    return {
      direction: this.direction(direction, `${path}.direction`),
      name: typeof name === 'string' && name.trim() !== '' ? name.trim() : 'objective',
      terms: Array.isArray(vars)
        ? this.sumOf(vars.map(String), `${path}.vars`)
        : this.terms(terms, `${path}.terms`),
    };
  }

  constraint(declaration: Json, path: string): Constraint {
    if (!isJsonObject(declaration)) throw unreadable(path, declaration, 'an object');
    const operator = this.operator(declaration, path);
    const limit = () => this.quantity(declaration.limit, `${path}.limit`);
    const variable = (member: string) => this.variable(declaration[member], `${path}.${member}`);
    switch (declaration.type) {
      case 'linear':
        return { terms: this.terms(declaration.terms, `${path}.terms`), operator, limit: limit() };
      case 'sum':
        return { terms: this.sumOf(this.variables, path), operator, limit: limit() };
      case 'upperbound':
      case 'lowerbound':
        return { terms: { [variable('var')]: 1 }, operator, limit: limit() };
      case 'xy':
        return { terms: difference(variable('x_var'), variable('y_var'), 1), operator, limit: 0 };
      case 'xby': {
        const factor = this.quantity(declaration.param, `${path}.param`);
        return { terms: difference(variable('x_var'), variable('y_var'), factor), operator, limit: 0 };
      }
      case 'ratio':
        return { terms: this.shareOfAll(variable('var'), limit()), operator, limit: 0 };
      default:
        throw unreadable(
          `${path}.type`,
          declaration.type,
          'one of linear, sum, upperbound, lowerbound, xy, xby, ratio',
        );
    }
  }

  /** `variable` against `share` of all variables together, everything on the left. */
  private shareOfAll(variable: string, share: number): Terms {
    return Object.fromEntries(
      this.variables.map((name) => [name, rounded((name === variable ? 1 : 0) - share)]),
    );
  }

  private sumOf(names: readonly string[], path: string): Terms {
    if (names.length === 0) throw new IncompleteRow();
    return Object.fromEntries(names.map((name) => [this.variable(name, path), 1]));
  }

  private terms(terms: Json | undefined, path: string): Terms {
    if (!isJsonObject(terms)) throw unreadable(path, terms, 'names with numbers');
    if (Object.keys(terms).length === 0) throw new IncompleteRow();
    const found = new Map<string, number>();
    for (const [name, value] of Object.entries(terms)) {
      const variable = this.variable(name, path);
      if (found.has(variable)) throw new IncompleteRow();
      found.set(variable, this.quantity(value, `${path}.${name}`));
    }
    return Object.fromEntries(found);
  }

  /** The row's own table of spellings is the last resort: it is sometimes wrong. */
  private variable(name: Json | undefined, path: string): string {
    const found =
      typeof name === 'string'
        ? (findVariable(name, this.variables) ??
          findVariableByWords(name, this.variables) ??
          this.variableByPosition(name))
        : null;
    if (found !== null) return found;
    throw unreadable(path, name, `a name of one of the variables ${this.variables.join(', ')}`);
  }

  private variableByPosition(name: string): string | null {
    if (!isJsonObject(this.positions) || !Object.hasOwn(this.positions, name)) return null;
    const position = this.positions[name];
    return typeof position === 'number' ? (this.variables[position] ?? null) : null;
  }

  private quantity(value: Json | undefined, path: string): number {
    const quantity = parseQuantity(value);
    if (quantity === null) throw unreadable(path, value, 'a number such as 200, "4,000", "30%" or "twice"');
    return quantity;
  }

  private direction(text: Json | undefined, path: string): 'maximize' | 'minimize' {
    const words = typeof text === 'string' ? text.toLowerCase() : '';
    if (/\b(max|most|highest|greatest|largest|biggest|increas|rais|grow)/.test(words)) return 'maximize';
    if (/\b(min|least|lowest|smallest|fewest|cheapest|decreas|reduc|lower|cut)/.test(words))
      return 'minimize';
    throw unreadable(path, text, 'a direction such as maximize, highest, minimize or reduce');
  }

  private operator(declaration: JsonObject, path: string): Constraint['operator'] {
    switch (declaration.operator) {
      case 'LESS_OR_EQUAL':
      case '<=':
      case '≤':
        return '<=';
      case 'GREATER_OR_EQUAL':
      case '>=':
      case '≥':
        return '>=';
      case 'EQUAL':
      case '=':
      case '==':
        return '=';
      default:
        throw unreadable(
          `${path}.operator`,
          declaration.operator,
          'LESS_OR_EQUAL, GREATER_OR_EQUAL or EQUAL',
        );
    }
  }
}

function difference(x: string, y: string, factor: number): Terms {
  return x === y ? { [x]: rounded(1 - factor) } : { [x]: 1, [y]: rounded(-factor) };
}

function unreadable(path: string, found: Json | undefined, allowed: string): RowFault {
  const shown = found === undefined ? 'nothing' : JSON.stringify(found).slice(0, 80);
  return new RowFault(
    'InvalidModel',
    `${path}: found ${shown}; allowed: ${allowed}`,
    `Correct ${path}, or remove the row.`,
  );
}
