import { z } from 'zod';
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.js';

const termsSchema = z.record(z.string().trim().min(1), z.number());

/** A linear optimization model: what the recipe's model answers with. */
export const optimizationModelSchema = z.strictObject({
  variables: z.array(z.string().trim().min(1)).min(1),
  objective: z.strictObject({
    direction: z.enum(['maximize', 'minimize']),
    name: z.string().trim().min(1),
    terms: termsSchema,
  }),
  constraints: z.array(
    z.strictObject({ terms: termsSchema, operator: z.enum(['<=', '>=', '=']), limit: z.number() }),
  ),
});

export type OptimizationModel = z.infer<typeof optimizationModelSchema>;
export type Terms = OptimizationModel['objective']['terms'];
export type Constraint = OptimizationModel['constraints'][number];

/** Exactly one JSON object with a whole model in it. */
export function parseModel(answer: string): { model: OptimizationModel } | { fault: string } {
  const read = readJsonObject(answer);
  if ('fault' in read) return read;
  const parsed = optimizationModelSchema.safeParse(read.document);
  if (parsed.success) return { model: parsed.data };
  const [issue] = parsed.error.issues;
  return { fault: `${issue?.path.join('.') || 'the answer'}: ${issue?.message ?? 'not a model'}` };
}

export function readJsonObject(answer: string): { document: JsonObject } | { fault: string } {
  try {
    const value: unknown = JSON.parse(answer);
    return isJsonObject(value) ? { document: value } : { fault: 'JSON, but not an object' };
  } catch (error) {
    return { fault: `not JSON: ${(error as Error).message}` };
  }
}

/** The answer that is trained on; member order is fixed, so that equal models are equal texts. */
export function renderModel({ variables, objective, constraints }: OptimizationModel): string {
  const { direction, name, terms } = objective;
  return JSON.stringify({
    variables,
    objective: { direction, name, terms },
    constraints: constraints.map((each) => ({
      terms: each.terms,
      operator: each.operator,
      limit: each.limit,
    })),
  });
}

/** One deterministic check of a model, in words for the user interface. */
export interface ModelCheck {
  readonly id: string;
  readonly passed: boolean;
  readonly message: string;
}

/** What can be said of a model without solving it. */
export function checkModel(model: OptimizationModel): ModelCheck[] {
  const declared = new Set(model.variables);
  const used = new Set([model.objective, ...model.constraints].flatMap((part) => Object.keys(part.terms)));
  const unused = model.variables.filter((name) => !used.has(name));
  const undeclared = [...used].filter((name) => !declared.has(name));
  const empty = model.constraints.filter((each) => Object.values(each.terms).every((value) => value === 0));
  const hasObjective = Object.values(model.objective.terms).some((value) => value !== 0);
  const check = (id: string, passed: boolean, good: string, bad: string): ModelCheck => ({
    id,
    passed,
    message: passed ? good : bad,
  });
  return [
    check(
      'variables-used',
      unused.length === 0,
      'Every variable is used.',
      `Never used: ${unused.join(', ')}.`,
    ),
    check(
      'variables-declared',
      undeclared.length === 0,
      'Every name is a variable.',
      `Not among the variables: ${undeclared.join(', ')}.`,
    ),
    check(
      'variables-distinct',
      declared.size === model.variables.length,
      'No variable is named twice.',
      'A variable is named twice.',
    ),
    check(
      'numbers-finite',
      allNumbers(model).every(Number.isFinite),
      'Every number is finite.',
      'A number is not finite.',
    ),
    check(
      'objective',
      hasObjective,
      'The objective depends on a variable.',
      'The objective depends on nothing.',
    ),
    check(
      'constraints',
      model.constraints.length > 0 && empty.length === 0,
      `${model.constraints.length} constraints bind the variables.`,
      model.constraints.length === 0 ? 'There are no constraints.' : 'A constraint binds no variable.',
    ),
  ];
}

function allNumbers(model: OptimizationModel): number[] {
  const limits = model.constraints.map((each) => each.limit);
  return [...limits, ...[model.objective, ...model.constraints].flatMap((part) => Object.values(part.terms))];
}

export function asJson(model: OptimizationModel): JsonObject {
  return JSON.parse(renderModel(model)) as Record<string, Json>;
}
