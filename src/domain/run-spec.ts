import { z } from 'zod';
import { type ConversionTarget, conversionForms, type Quantization, quantizations } from './artifact.js';
import type { HyperparameterValue } from './hyperparameters.js';
import type { ParityPlan } from './parity.js';
import type { Waiting } from './waiting.js';

/** Registered model and recipe names; also part of workflow IDs, object keys and cloud resource names. */
export const nameSchema = z
  .string()
  .max(40, 'at most 40 characters')
  .regex(
    /^[a-z0-9]+(-[a-z0-9]+)*$/,
    'small letters and digits, with single dashes between them, for instance "my-model-2"',
  );

const sqlScalarSchema = z.union([z.string(), z.number(), z.boolean(), z.null()]);

export const datasetSourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('builder'),
    backend: z.string().optional(),
    records: z.number().int().min(8).max(20_000).optional(),
    seed: z.number().int().nonnegative().optional(),
  }),
  /** One JSONL file on the worker's disk or in object storage (`s3://bucket/key`). */
  z.strictObject({ kind: z.literal('file'), path: z.string().min(1) }),
  /** Every `.json` and `.jsonl` file below a folder, or below an `s3://bucket/prefix/`. */
  z.strictObject({ kind: z.literal('folder'), path: z.string().min(1) }),
  /** The rows of a query in a Postgres database. */
  z.strictObject({
    kind: z.literal('sql'),
    /** The worker's environment variable that holds the URL; never the URL itself, which has a password. */
    connection: z
      .string()
      .regex(
        /^[A-Z][A-Z0-9_]*_DATABASE_URL$/,
        "the name of an environment variable of the worker's that ends in _DATABASE_URL",
      ),
    /** A file with one SELECT; relative paths start where the worker does. */
    path: z.string().min(1),
    /** Values for each `:name` in it; a list is an array, for `= ANY (:name)`. */
    parameters: z.record(z.string(), z.union([sqlScalarSchema, z.array(sqlScalarSchema)])).optional(),
    /** Columns of the result that name a row, for the order of the rows and in messages. */
    key: z.array(z.string().min(1)).min(1).max(8),
    /** Refuses the dataset where the query has fewer rows. */
    minimumRows: z.number().int().nonnegative().optional(),
  }),
  /** A dataset that an earlier run built: the URI of its `manifest.json`. */
  z.strictObject({ kind: z.literal('manifest'), uri: z.string().startsWith('s3://') }),
]);

const datasetSchema = z.strictObject({
  source: datasetSourceSchema.optional(),
  /** Share of groups that go to the validation split; 0 trains on everything. */
  validationShare: z.number().min(0).max(0.5).optional(),
});

const hyperparametersSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const trainingSchema = z.strictObject({
  provider: z.string().min(1).optional(),
  baseModel: z.string().min(1).optional(),
  hyperparameters: hyperparametersSchema.optional(),
  /** Provider-specific, for instance `roleArn`, `vpcConfig`, `kmsKeyId` on Bedrock. */
  settings: z.record(z.string(), z.unknown()).optional(),
});

/** How far the converted model may be from the trained one; see `ParityTolerance`. */
const paritySchema = z.strictObject({
  /** Golden prompts that are compared, the first questions of the suite. */
  prompts: z.number().int().min(1).max(64).optional(),
  /** Tokens of each answer that are compared. */
  answerTokens: z.number().int().min(4).max(512).optional(),
  agreement: z.number().min(0).max(1).optional(),
  perplexityRatio: z.number().min(1).optional(),
  jsonValidDrop: z.number().min(0).max(1).optional(),
  scoreDrop: z.number().min(0).max(1).optional(),
});

const conversionSchema = z.strictObject({
  quantization: z.enum(quantizations).optional(),
  /** `adapter` keeps the LoRA adapter beside one file of its base model, which many adapters share. */
  form: z.enum(conversionForms).optional(),
  /** Further formats that are made, compared with the trained model and thrown away. */
  compare: z.array(z.enum(quantizations)).max(quantizations.length).optional(),
  parity: paritySchema.optional(),
});

const deploymentSchema = z.strictObject({
  target: z.string().min(1).optional(),
  /** Target-specific, for instance `modelUnits` and `commitment` on provisioned throughput. */
  settings: z.record(z.string(), z.unknown()).optional(),
});

const validationSchema = z.strictObject({
  suite: z.string().min(1).optional(),
  policy: z.string().min(1).optional(),
  samples: z.number().int().min(1).max(20_000).optional(),
  seed: z.number().int().nonnegative().optional(),
  temperature: z.number().min(0).max(1).optional(),
});

const waitingSchema = z.strictObject({
  firstMinuteSeconds: z.number().min(0.1),
  firstHourSeconds: z.number().min(0.1),
  laterSeconds: z.number().min(0.1),
});

const deadlinesSchema = z.strictObject({
  /** How long a create may wait for quota, capacity or a permission. */
  purchaseHours: z.number().positive().optional(),
  trainingHours: z.number().positive().optional(),
  conversionMinutes: z.number().positive().optional(),
  deploymentMinutes: z.number().positive().optional(),
  validationMinutes: z.number().positive().optional(),
  approvalHours: z.number().positive().optional(),
});

/** The input of `fineTune` and of every single-stage workflow. Only `recipe` is required. */
export const runSpecSchema = z.strictObject({
  recipe: nameSchema,
  /** The registered model; the recipe's name unless given. */
  model: nameSchema.optional(),
  dataset: datasetSchema.optional(),
  training: trainingSchema.optional(),
  /** What the model is converted to, where its target serves files; null where it needs no conversion. */
  conversion: conversionSchema.nullable().optional(),
  deployment: deploymentSchema.optional(),
  validation: validationSchema.optional(),
  approval: z.enum(['none', 'before-training', 'before-promotion']).optional(),
  /** A run whose estimate is above this waits for `approve` before anything is bought. */
  budgetUsd: z.number().nonnegative().optional(),
  /**
   * What a second run for the same model does: `refuse` fails and names the run that holds it, `wait` starts
   * once that has ended, `join` ends with that run's result.
   */
  onRunning: z.enum(['refuse', 'wait', 'join']).optional(),
  /** Train even when the champion was trained on the same dataset with the same settings. */
  force: z.boolean().optional(),
  waiting: waitingSchema.optional(),
  deadlines: deadlinesSchema.optional(),
});

export type RunSpec = z.infer<typeof runSpecSchema>;
export type DatasetSource = z.infer<typeof datasetSourceSchema>;
export type ApprovalPoint = NonNullable<RunSpec['approval']>;
export type OnRunning = NonNullable<RunSpec['onRunning']>;

/** What a recipe supplies for the parts of a run spec that the user leaves out. */
export interface RecipeDefaults {
  readonly dataset: { readonly source: DatasetSource | null; readonly validationShare: number };
  readonly training: {
    readonly provider: string;
    readonly baseModel: string;
    readonly hyperparameters: Readonly<Record<string, HyperparameterValue>>;
  };
  readonly deployment: { readonly target: string };
  readonly validation: {
    readonly suite: string;
    readonly policy: string;
    readonly samples: number;
    readonly seed: number;
    readonly temperature: number;
  };
  readonly budgetUsd: number;
}

/** A machine that trains and is billed while it does. */
export interface TrainingPriceByHour {
  /** As the provider names it, for instance `ml.g5.xlarge`. */
  readonly machine: string;
  readonly usdPerHour: number;
  /** The job is stopped after so many. */
  readonly maximumHours: number;
}

export interface RunPrices {
  readonly epochs: number;
  readonly usdPerThousandTrainingTokens: number;
  /** Where training is billed by the machine's time instead of tokens; else null. */
  readonly trainingByHour: TrainingPriceByHour | null;
  readonly modelStorageUsdPerHour: number;
  readonly deploymentUsdPerHour: number;
  /** Units that the hour's price is for; 1 where the target knows none. */
  readonly deploymentUnits: number;
  /** The whole term's price where the deployment buys a commitment; null where it can end at any time. */
  readonly commitmentUsd: number | null;
  readonly usdPerThousandInputTokens: number;
  readonly usdPerThousandOutputTokens: number;
}

/**
 * A run spec with every default filled in, as one activity resolves it at the start of a run. The workflow
 * works on this alone, so editing a recipe or the service's configuration never changes a running lifecycle.
 */
export interface ResolvedRunSpec {
  readonly recipe: string;
  readonly recipeHash: string;
  readonly model: string;
  readonly dataset: { readonly source: DatasetSource; readonly validationShare: number };
  readonly training: {
    readonly provider: string;
    readonly baseModel: string;
    readonly hyperparameters: Readonly<Record<string, string>>;
    readonly settings: Readonly<Record<string, unknown>>;
  };
  readonly conversion:
    | (ConversionTarget & {
        readonly compare: readonly Quantization[];
        readonly parity: ParityPlan;
      })
    | null;
  readonly deployment: { readonly target: string; readonly settings: Readonly<Record<string, unknown>> };
  readonly validation: {
    readonly suite: string;
    readonly policy: string;
    readonly samples: number;
    readonly seed: number;
    readonly temperature: number;
  };
  readonly approval: ApprovalPoint;
  readonly budgetUsd: number;
  readonly onRunning: OnRunning;
  readonly force: boolean;
  readonly waiting: Waiting;
  readonly deadlines: Required<z.infer<typeof deadlinesSchema>>;
  /** What this run's names derive from, and where its files go. */
  readonly run: { readonly key: string; readonly bucket: string };
  /** US dollars, from the price table, as the providers named above charge. */
  readonly prices: RunPrices;
  /** `cloud` names where paid resources would be created: `sandbox` (simulated) or `aws`. */
  readonly cloud: string;
  /** Whether the run carries search attributes. */
  readonly searchAttributes: boolean;
  /** Where each value came from, by path: `user`, `recipe`, `provider` or `anneal`. */
  readonly origin: Readonly<Record<string, string>>;
}

export const defaultDeadlines = {
  purchaseHours: 72,
  trainingHours: 48,
  conversionMinutes: 120,
  deploymentMinutes: 60,
  validationMinutes: 120,
  approvalHours: 72,
} as const;

/** The input of `convert`, `deploy`, `validate`, `promote`, `rollback` and `teardown`: a version that exists. */
export const versionSpecSchema = z.strictObject({
  model: nameSchema,
  /** The newest version unless given; `rollback` takes the previous champion. */
  version: z.number().int().positive().optional(),
  conversion: conversionSchema.optional(),
  deployment: deploymentSchema.optional(),
  validation: validationSchema.optional(),
  /** Kept in the deployment history. */
  notes: z.string().max(1000).optional(),
  by: z.string().max(200).optional(),
  /** `promote`: although the version did not pass. `teardown`: although it is the champion. */
  force: z.boolean().optional(),
  /** As in a run spec; nothing of this kind can be joined. */
  onRunning: z.enum(['refuse', 'wait']).optional(),
  waiting: waitingSchema.optional(),
  deadlines: deadlinesSchema.optional(),
});

export type VersionSpec = z.infer<typeof versionSpecSchema>;

/** The input of `infer`. */
export const inferSpecSchema = z
  .strictObject({
    recipe: nameSchema,
    model: nameSchema.optional(),
    /**
     * `champion` (default) answers as users get it. For comparison, `base` asks the untrained base model, `endpoint`
     * a model that the worker's OpenAI-compatible endpoint serves.
     */
    serve: z.enum(['champion', 'base', 'endpoint']).optional(),
    /** What the endpoint calls its model; with `serve: endpoint`, and only then. */
    endpointModel: z.string().min(1).max(200).optional(),
    /** Starts `deploy` where the champion has no deployment, because it was released while nobody asked it. */
    wake: z.boolean().optional(),
    /** Seconds that each of the two model calls may take before the phrase bank answers; see docs/run-spec.md. */
    answerSeconds: z.number().min(0.5).max(600).optional(),
    request: z.unknown(),
  })
  .superRefine(({ serve, endpointModel }, context) => {
    if ((serve === 'endpoint') === (endpointModel !== undefined)) return;
    const message =
      serve === 'endpoint'
        ? 'is missing; allowed: the name that the endpoint gives to its model.'
        : 'is of no use without "serve": "endpoint"; remove it, or ask the endpoint.';
    context.addIssue({ code: 'custom', path: ['endpointModel'], message, params: { isSentence: true } });
  });

export type InferSpec = z.infer<typeof inferSpecSchema>;
