import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { InvalidInput, parseInput, parseJson, refusal } from './input.js';
import type { SettingsOverride } from './settings.js';

const minutes = z.number().min(0).max(100_000);

/** The switches of docs/assumptions.md, with the number of the assumption that each belongs to. */
const switches = {
  /** 1: how long a token is remembered; null for ever. */
  tokenMemoryMinutes: minutes.nullable(),
  /** 2: a known token with other parameters. */
  tokenWithOtherParameters: z.enum(['first-resource', 'validation-error']),
  /** 3: a token whose resource was deleted. */
  tokenOfDeletedResource: z.enum(['first-resource', 'new-resource']),
  /** 4: the name of a job that failed or was stopped. */
  nameOfEndedJob: z.enum(['taken', 'free']),
  /** 5: how a taken name of a deployment or throughput is refused. */
  takenName: z.enum(['validation-error', 'conflict']),
  /** 6: a throughput asked for by its name. */
  throughputByName: z.enum(['found', 'not-found']),
  /** 10: stopping a job that is not in progress. */
  stopOfEndedJob: z.enum(['conflict', 'validation-error', 'ignored']),
  /** 11: when a custom model is first seen: with its job's completion, while it trains, or later. */
  modelAppears: z.enum(['at-completion', 'while-training', 'after-completion']),
  /** 11: how much later, for `after-completion`. */
  modelLagMinutes: minutes,
  /** 14: questions while a throughput is updating. */
  invokeWhileUpdating: z.enum(['old-model', 'not-ready']),
  /** 15: an update during creation or another update. */
  updateWhileBusy: z.enum(['validation-error', 'conflict', 'replaces']),
  /** 16: questions while a deployment or throughput is being created. */
  invokeWhileCreating: z.enum(['not-ready', 'not-found', 'validation-error']),
  /** 17: base models with a context suffix, on demand. */
  suffixedBaseModelOnDemand: z.enum(['answers', 'validation-error']),
  /** 18: deleting a model that is being served. */
  deleteOfServedModel: z.enum(['conflict', 'validation-error']),
  /** 19: a throughput's and deployment's hours. */
  billedHours: z.enum(['fraction', 'rounded-up']),
  /** 19: the time in which a throughput or deployment is being created. */
  billedCreation: z.enum(['billed', 'free']),
  /** 31: the error of a quota that is full. */
  quotaError: z.enum(['service-quota-exceeded', 'validation-error', 'throttling', 'limit-exceeded']),
  /** 32: how old lists are, those of tags included. */
  listLagMinutes: minutes,
  /** 33: how long after its creation a resource is not found by Get. */
  getLagMinutes: minutes,
  /** 34: deleting a deployment or throughput that is being created or updated. */
  deleteWhileBusy: z.enum(['deletes', 'conflict']),
  /** 35: how long a deployment or throughput that says it is ready still answers nobody. */
  servingLagMinutes: minutes,
  /** 36: what a job costs that failed in its training stage. */
  failedTraining: z.enum(['free', 'billed']),
  /** 38: a SageMaker training job that does not exist. */
  unknownTrainingJob: z.enum(['validation-error', 'resource-not-found']),
  /** 39: stopping a SageMaker training job that has ended. */
  stopOfEndedTrainingJob: z.enum(['validation-error', 'ignored']),
  /** 40: when the metrics of a SageMaker training job are seen. */
  metricsWhileTraining: z.enum(['shown', 'at-end']),
} as const;

const readingsSchema = z.strictObject(switches);

/** What the sandbox takes AWS to mean where its documents are silent; see docs/assumptions.md. */
export type SandboxReadings = Readonly<z.output<typeof readingsSchema>>;

export const defaultReadings: SandboxReadings = {
  tokenMemoryMinutes: null,
  tokenWithOtherParameters: 'first-resource',
  tokenOfDeletedResource: 'first-resource',
  nameOfEndedJob: 'taken',
  takenName: 'validation-error',
  throughputByName: 'found',
  stopOfEndedJob: 'conflict',
  modelAppears: 'at-completion',
  modelLagMinutes: 5,
  invokeWhileUpdating: 'old-model',
  updateWhileBusy: 'validation-error',
  invokeWhileCreating: 'not-ready',
  suffixedBaseModelOnDemand: 'answers',
  deleteOfServedModel: 'conflict',
  billedHours: 'fraction',
  billedCreation: 'billed',
  quotaError: 'service-quota-exceeded',
  listLagMinutes: 0,
  getLagMinutes: 0,
  deleteWhileBusy: 'deletes',
  servingLagMinutes: 0,
  failedTraining: 'free',
  unknownTrainingJob: 'validation-error',
  stopOfEndedTrainingJob: 'validation-error',
  metricsWhileTraining: 'shown',
};

/** As `--readings` takes them: any of the switches, and two numbers that are settings as well. */
const input = readingsSchema.partial().extend({
  /** 13: how long a deleted deployment or throughput is still seen. */
  deletionMinutes: minutes.optional(),
  /** 24: model units without commitment that the account has. */
  modelUnitsWithoutCommitment: z.int().min(0).optional(),
});

export type ReadingsInput = z.input<typeof input>;

/** A named way of reading the open questions. */
export interface ReadingSet {
  readonly name: string;
  /** Of docs/assumptions.md; null for the usual readings and for all others at once. */
  readonly assumption: number | null;
  readonly readings: ReadingsInput;
}

const alternatives: readonly ReadingSet[] = [
  { name: 'token-forgotten', assumption: 1, readings: { tokenMemoryMinutes: 5 } },
  { name: 'token-checked', assumption: 2, readings: { tokenWithOtherParameters: 'validation-error' } },
  { name: 'token-freed', assumption: 3, readings: { tokenOfDeletedResource: 'new-resource' } },
  { name: 'job-name-freed', assumption: 4, readings: { nameOfEndedJob: 'free' } },
  { name: 'name-conflict', assumption: 5, readings: { takenName: 'conflict' } },
  { name: 'throughput-by-arn', assumption: 6, readings: { throughputByName: 'not-found' } },
  { name: 'stop-refused', assumption: 10, readings: { stopOfEndedJob: 'validation-error' } },
  { name: 'stop-ignored', assumption: 10, readings: { stopOfEndedJob: 'ignored' } },
  { name: 'model-early', assumption: 11, readings: { modelAppears: 'while-training' } },
  { name: 'model-late', assumption: 11, readings: { modelAppears: 'after-completion' } },
  { name: 'slow-deletion', assumption: 13, readings: { deletionMinutes: 15 } },
  { name: 'silent-update', assumption: 14, readings: { invokeWhileUpdating: 'not-ready' } },
  { name: 'update-conflict', assumption: 15, readings: { updateWhileBusy: 'conflict' } },
  { name: 'update-replaces', assumption: 15, readings: { updateWhileBusy: 'replaces' } },
  {
    name: 'creation-not-found',
    assumption: 16,
    readings: { invokeWhileCreating: 'not-found', servingLagMinutes: 2 },
  },
  {
    name: 'creation-invalid',
    assumption: 16,
    readings: { invokeWhileCreating: 'validation-error', servingLagMinutes: 2 },
  },
  { name: 'no-suffix', assumption: 17, readings: { suffixedBaseModelOnDemand: 'validation-error' } },
  { name: 'served-model-invalid', assumption: 18, readings: { deleteOfServedModel: 'validation-error' } },
  { name: 'whole-hours', assumption: 19, readings: { billedHours: 'rounded-up' } },
  { name: 'creation-free', assumption: 19, readings: { billedCreation: 'free' } },
  { name: 'new-account', assumption: 24, readings: { modelUnitsWithoutCommitment: 0 } },
  { name: 'quota-invalid', assumption: 31, readings: { quotaError: 'validation-error' } },
  { name: 'quota-throttled', assumption: 31, readings: { quotaError: 'throttling' } },
  { name: 'quota-limit', assumption: 31, readings: { quotaError: 'limit-exceeded' } },
  { name: 'slow-lists', assumption: 32, readings: { listLagMinutes: 5 } },
  { name: 'slow-reads', assumption: 33, readings: { getLagMinutes: 5 } },
  { name: 'busy-delete', assumption: 34, readings: { deleteWhileBusy: 'conflict' } },
  { name: 'slow-serving', assumption: 35, readings: { servingLagMinutes: 5 } },
  { name: 'failed-training-billed', assumption: 36, readings: { failedTraining: 'billed' } },
  { name: 'unknown-job-declared', assumption: 38, readings: { unknownTrainingJob: 'resource-not-found' } },
  { name: 'training-stop-ignored', assumption: 39, readings: { stopOfEndedTrainingJob: 'ignored' } },
  { name: 'late-metrics', assumption: 40, readings: { metricsWhileTraining: 'at-end' } },
];

/** Sets that say no more than what another one says, or under which nothing could be bought. */
const leftOut = ['new-account', 'stop-refused', 'model-early', 'update-conflict', 'creation-not-found'];
const together = alternatives.filter(({ name }) => !leftOut.includes(name) && !name.startsWith('quota-'));

/** The usual readings, one set for each alternative, and nearly all alternatives at once. */
export const readingSets: readonly ReadingSet[] = [
  { name: 'usual', assumption: null, readings: {} },
  ...alternatives,
  {
    name: 'everything-else-way',
    assumption: null,
    readings: Object.assign({ quotaError: 'validation-error' }, ...together.map((set) => set.readings)),
  },
];

export function readingSetNames(): string[] {
  return readingSets.map(({ name }) => name);
}

/** The settings of a sandbox that reads AWS this way. */
export function toSettings(given: ReadingsInput): SettingsOverride {
  const { deletionMinutes, modelUnitsWithoutCommitment, ...readings } = given;
  return {
    readings,
    ...(deletionMinutes !== undefined && { deletionMinutes }),
    ...(modelUnitsWithoutCommitment !== undefined && { quotas: { modelUnitsWithoutCommitment } }),
  };
}

/** Reads what `--readings` was given: a set's name, a file, or JSON itself. */
export function parseReadings(given: string): SettingsOverride {
  const named = readingSets.find(({ name }) => name === given);
  if (named) return toSettings(named.readings);
  const isJson = given.trimStart().startsWith('{');
  if (!isJson && !existsSync(given)) {
    const name = given.split(/[\\/]/).at(-1) ?? given;
    throw new InvalidInput(
      `--readings: there is no file ${given}, and no set of that name: ${refusal(name, readingSetNames())} JSON goes too, for instance {"invokeWhileUpdating": "not-ready"}.`,
    );
  }
  const subject = isJson ? '--readings' : given;
  const value = parseJson(isJson ? given : readFileSync(given, 'utf8'), subject);
  return toSettings(parseInput<ReadingsInput>(input, value, subject));
}
