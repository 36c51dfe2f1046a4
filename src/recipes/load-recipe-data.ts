import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { z } from 'zod';
import { type GatePolicy, gatePolicySchema } from '../domain/evaluation/gate-policy.js';
import { PermanentFailure } from '../domain/failures.js';
import { formatProblems, parseInput } from '../domain/parse-input.js';
import type { ServingParameters } from '../domain/recipe.js';
import { datasetSourceSchema, nameSchema, type RecipeDefaults } from '../domain/run-spec.js';

/** A recipe's data folder, read once and whole: later edits on disk change nothing until the next load. */
export interface RecipeData {
  /** Parses one JSON file and checks it; a fault names the file and the path within it. */
  json<T>(path: string, schema: z.ZodType<T>): T;
  text(path: string): string;
  /** SHA-256 of one file's bytes. */
  hash(path: string): string;
  /** Paths below a folder, relative to the recipe's folder, sorted. */
  list(folder: string, extension: string): string[];
  /** SHA-256 over every file's path and bytes and the version of the code that reads them. */
  contentHash(codeVersion: string): string;
}

/** The part of `recipe.json` that every recipe has. */
export interface RecipeDefinition {
  readonly name: string;
  readonly description: string;
  readonly defaults: RecipeDefaults;
  readonly answerSeconds?: number;
}

export function loadRecipeData(dataDirectory: string): RecipeData {
  if (!existsSync(dataDirectory)) {
    throw new PermanentFailure(
      'InvalidInput',
      `Recipe folder ${dataDirectory} does not exist; give the folder that holds the recipe's recipe.json.`,
    );
  }
  const files = readFiles(dataDirectory);
  return {
    json: (path, schema) => parseFile(join(dataDirectory, path), textOf(files, dataDirectory, path), schema),
    text: (path) => textOf(files, dataDirectory, path),
    hash: (path) =>
      createHash('sha256')
        .update(textOf(files, dataDirectory, path))
        .digest('hex'),
    list: (folder, extension) =>
      [...files.keys()].filter((path) => path.startsWith(`${folder}/`) && path.endsWith(extension)),
    contentHash: (codeVersion) => hashFiles(files, codeVersion),
  };
}

export function readRecipeDefinition(data: RecipeData): RecipeDefinition {
  const { schema: _schema, ...definition } = data.json('recipe.json', recipeDefinitionSchema);
  return definition;
}

/** Every `policies/*.json`, keyed by the policy's id. */
export function readGatePolicies(data: RecipeData): Record<string, GatePolicy> {
  const policies = data.list('policies', '.json').map((path) => data.json(path, gatePolicySchema));
  return Object.fromEntries(policies.map((policy) => [policy.id, policy]));
}

/** `serving.json`: what a server of the recipe's models is told. */
export function readServingParameters(data: RecipeData): ServingParameters {
  const { schema: _schema, ...parameters } = data.json('serving.json', servingParametersSchema);
  return parameters;
}

const servingParametersSchema = z.strictObject({
  schema: z.literal('serving/v1'),
  system: z.string().min(1).nullable(),
  template: z.string().min(1).nullable(),
  temperature: z.number().min(0).max(2),
  contextTokens: z.number().int().min(256),
  maximumAnswerTokens: z.number().int().positive(),
  stop: z.array(z.string().min(1)),
});

const recipeDefinitionSchema = z.strictObject({
  schema: z.literal('recipe/v1'),
  name: nameSchema,
  description: z.string().min(1),
  answerSeconds: z.number().min(0.5).max(600).optional(),
  defaults: z.strictObject({
    dataset: z.strictObject({
      source: datasetSourceSchema.nullable(),
      validationShare: z.number().min(0).max(0.5),
    }),
    training: z.strictObject({
      provider: z.string().min(1),
      baseModel: z.string().min(1),
      hyperparameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    }),
    deployment: z.strictObject({ target: z.string().min(1) }),
    validation: z.strictObject({
      suite: z.string().min(1),
      policy: z.string().min(1),
      samples: z.number().int().min(1).max(20_000),
      seed: z.number().int().nonnegative(),
      temperature: z.number().min(0).max(1),
    }),
    budgetUsd: z.number().nonnegative(),
  }),
});

function readFiles(dataDirectory: string): Map<string, Buffer> {
  const paths = readdirSync(dataDirectory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => relative(dataDirectory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(dataDirectory, path))]));
}

function textOf(files: ReadonlyMap<string, Buffer>, dataDirectory: string, path: string): string {
  const bytes = files.get(path);
  if (bytes) return bytes.toString('utf8');
  throw new PermanentFailure(
    'InvalidInput',
    `Recipe file ${join(dataDirectory, path)} is missing; found: ${[...files.keys()].join(', ') || 'no files'}.`,
  );
}

function parseFile<T>(path: string, text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new PermanentFailure('InvalidInput', `${path} is not JSON: ${(error as Error).message}.`);
  }
  const parsed = parseInput(schema, value);
  if ('value' in parsed) return parsed.value;
  throw new PermanentFailure('InvalidInput', formatProblems(path, parsed.problems), parsed.problems);
}

/** Each path and each length is hashed too, so that moving bytes between files changes the hash. */
function hashFiles(files: ReadonlyMap<string, Buffer>, codeVersion: string): string {
  const hash = createHash('sha256').update(`code:${codeVersion}\n`);
  for (const [path, bytes] of files) hash.update(`${path}:${bytes.length}\n`).update(bytes);
  return hash.digest('hex');
}
