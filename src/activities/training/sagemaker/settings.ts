import { z } from 'zod';
import type { Prices } from '../../../aws/prices.js';
import type { TrainingImages } from '../../../aws/training-images.js';
import { didYouMean, type InputProblem, parseInput } from '../../../domain/parse-input.js';

const minutes = (most: number) => {
  const words = `whole minutes from 1 to ${most}`;
  return z.int(words).min(1, words).max(most, words);
};
const volumeWords = 'whole gigabytes from 1 to 16384';
const mostRuntimeMinutes = 5 * 24 * 60;
const mostWaitMinutes = 28 * 24 * 60;

const settingsSchema = z.strictObject({
  roleArn: z
    .string()
    .regex(/^arn:aws(-[^:]+)?:iam::\d{12}:role\/.+$/, 'an ARN such as arn:aws:iam::123456789012:role/Name')
    .optional(),
  instanceType: z.string().min(1).default('ml.g5.xlarge'),
  volumeGb: z.int(volumeWords).min(1, volumeWords).max(16_384, volumeWords).default(50),
  /** The job is stopped after so much time on its machine. */
  maximumMinutes: minutes(mostRuntimeMinutes).default(120),
  /** Spare machines at a lower price, which may be taken away; the job then goes on from its checkpoint. */
  spot: z.boolean().default(false),
  /** With `spot`: the job is stopped after so much time altogether, waiting included. */
  maximumWaitMinutes: minutes(mostWaitMinutes).optional(),
  /** A container of one's own, as ECR names it; else the image table's. */
  image: z.string().min(1).max(255).optional(),
  /** A folder in object storage with the base model's Hugging Face files. */
  baseModelUri: z
    .string()
    .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]+\/.+\/$/, 'an s3://bucket/folder/ that ends with a slash')
    .optional(),
  vpcConfig: z
    .strictObject({
      subnetIds: z
        .array(z.string().regex(/^[-0-9a-zA-Z]+$/, 'IDs such as subnet-0abc'))
        .min(1)
        .max(16),
      securityGroupIds: z
        .array(z.string().regex(/^[-0-9a-zA-Z]+$/, 'IDs such as sg-0abc'))
        .min(1)
        .max(5),
    })
    .optional(),
  /** Encrypts the trained model: an ARN, a key ID or an alias. */
  kmsKeyId: z.string().min(1).max(2048).optional(),
  /** Encrypts the machine's disk. */
  volumeKmsKeyId: z.string().min(1).max(2048).optional(),
  /** The container reaches nothing but its channels; it needs nothing else. */
  networkIsolation: z.boolean().default(true),
});

/** What a job is started with: every default filled in. */
export type SageMakerTrainingSettings = z.output<typeof settingsSchema> & {
  readonly roleArn: string;
  readonly image: string;
  readonly baseModelUri: string;
  readonly maximumWaitMinutes: number;
};

export interface SettingsDefaults {
  /** The role that SageMaker assumes to read data and to write results; null when none is configured. */
  readonly roleArn: string | null;
  readonly region: string;
  readonly bucket: string;
  readonly prices: Prices;
  readonly images: TrainingImages;
}

/** The folder that a base model is looked for in unless the settings name another. */
export function usualBaseModelUri(bucket: string, baseModel: string): string {
  return `s3://${bucket}/base-models/${baseModel}/`;
}

/** Checks `training.settings` and fills in what was left out. */
export function parseSageMakerSettings(
  given: Readonly<Record<string, unknown>>,
  baseModel: string,
  defaults: SettingsDefaults,
): { readonly value: SageMakerTrainingSettings | null; readonly problems: readonly InputProblem[] } {
  const parsed = parseInput(settingsSchema, given);
  if ('problems' in parsed) {
    const problems = parsed.problems.map((problem) => ({
      ...problem,
      path: problem.path === '(input)' ? 'training.settings' : `training.settings.${problem.path}`,
    }));
    return { value: null, problems };
  }
  const settings = parsed.value;
  const roleArn = settings.roleArn ?? defaults.roleArn;
  const image = settings.image ?? defaults.images.uri(defaults.region);
  const problems = [
    ...(roleArn === null ? [missingRole] : []),
    ...(image === null ? [missingImage(defaults)] : []),
    ...checkInstance(settings.instanceType, defaults.prices),
    ...checkWait(settings),
    ...checkBaseModelName(baseModel, settings.baseModelUri),
  ];
  if (problems.length > 0 || roleArn === null || image === null) return { value: null, problems };
  const value = {
    ...settings,
    roleArn,
    image,
    baseModelUri: settings.baseModelUri ?? usualBaseModelUri(defaults.bucket, baseModel),
    maximumWaitMinutes: settings.maximumWaitMinutes ?? usualWaitMinutes(settings.maximumMinutes),
  };
  return { value, problems: [] };
}

/** As long again as the job itself may take. */
function usualWaitMinutes(maximumMinutes: number): number {
  return Math.min(mostWaitMinutes, maximumMinutes * 2);
}

const missingRole: InputProblem = {
  path: 'training.settings.roleArn',
  found: 'nothing',
  allowed:
    'the ARN of the role that SageMaker assumes to read the training data; name it here or in ANNEAL_SAGEMAKER_ROLE_ARN',
  hint: null,
};

function missingImage({ region, images }: SettingsDefaults): InputProblem {
  return {
    path: 'training.settings.image',
    found: `nothing, and the image table has none for region ${region}`,
    allowed: `an image as ECR names it, or a region of the table (${images.regions.join(', ')}); the table is images/sagemaker.json, or what ANNEAL_IMAGES names`,
    hint: null,
  };
}

/** An instance without a price cannot be budgeted. */
function checkInstance(instanceType: string, prices: Prices): InputProblem[] {
  if (prices.trainingInstanceUsdPerHour(instanceType) !== null) return [];
  const types = prices.trainingInstanceTypes();
  return [
    {
      path: 'training.settings.instanceType',
      found: `"${instanceType}"`,
      allowed: `${types.join(', ')}; for another one add a row "trainingInstance" with its price to the price table`,
      hint: didYouMean(instanceType, types),
    },
  ];
}

function checkWait(settings: z.output<typeof settingsSchema>): InputProblem[] {
  const { spot, maximumMinutes, maximumWaitMinutes } = settings;
  if (maximumWaitMinutes === undefined) return [];
  const path = 'training.settings.maximumWaitMinutes';
  const found = String(maximumWaitMinutes);
  if (!spot) return [{ path, found, allowed: 'nothing without "spot": true', hint: null }];
  if (maximumWaitMinutes >= maximumMinutes) return [];
  return [{ path, found, allowed: `maximumMinutes (${maximumMinutes}) or more`, hint: null }];
}

/** The name becomes part of an address, and of a folder on the machine that converts. */
function checkBaseModelName(baseModel: string, baseModelUri: string | undefined): InputProblem[] {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(baseModel)) return [];
  const allowed =
    'letters, digits and ._- alone: the name of a folder with the model, below base-models/ of the bucket or where training.settings.baseModelUri says';
  return [
    {
      path: 'training.baseModel',
      found: JSON.stringify(baseModel),
      allowed,
      hint: baseModelUri === undefined ? didYouMean(baseModel, [baseModel.split('/').at(-1) ?? '']) : null,
    },
  ];
}
