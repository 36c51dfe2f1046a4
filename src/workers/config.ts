import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Waiting } from '../domain/waiting.js';

/**
 * The service's configuration. The environment is read here, once; everything else gets this object.
 *
 * Real AWS is used only when `ANNEAL_CLOUD=aws` and `ANNEAL_AWS_ACCOUNT` names the account that may be
 * charged; with `sandbox` an endpoint is required, so that a missing endpoint never means AWS.
 */
const environmentSchema = z
  .object({
    ANNEAL_CLOUD: z.enum(['sandbox', 'aws']).default('sandbox'),
    ANNEAL_AWS_ENDPOINT: z.url().optional(),
    ANNEAL_AWS_ACCOUNT: z
      .string()
      .regex(/^\d{12}$/, 'must be the 12 digits of the AWS account that may be charged')
      .optional(),
    ANNEAL_AWS_REGION: z.string().default('us-east-1'),
    ANNEAL_BUCKET: z.string().default('anneal'),
    /** The role that Bedrock assumes to read training data and write results. */
    ANNEAL_BEDROCK_ROLE_ARN: z.string().optional(),
    /** The role that SageMaker assumes to read training data and write results. */
    ANNEAL_SAGEMAKER_ROLE_ARN: z.string().optional(),
    DATABASE_URL: z.string().default('postgres://postgres@127.0.0.1:5432/anneal'),
    /** Folders and files of data that come with the project. */
    ANNEAL_RECIPES: z.string().optional(),
    ANNEAL_PRICES: z.string().optional(),
    ANNEAL_IMAGES: z.string().optional(),
    ANNEAL_HOME: z.string().default('.anneal'),
    /** The Python that trains on this machine; `anneal setup local` makes the default one. */
    ANNEAL_LOCAL_PYTHON: z.string().optional(),
    /** Jobs that train on this machine at the same time; the others wait in line. */
    ANNEAL_LOCAL_TRAINERS: z.coerce.number().int().positive().max(64).default(1),
    /** Calls of each API of the cloud's control plane in a second, of all workers together. */
    ANNEAL_CALLS_PER_SECOND: z.coerce.number().int().positive().max(10_000).default(10),
    /** Conversions and comparisons that one worker does at the same time; the others wait in the compute queue. */
    ANNEAL_COMPUTE_ACTIVITIES: z.coerce.number().int().positive().max(64).default(1),
    /** Where an Ollama listens, for the deployment target of that name. */
    ANNEAL_OLLAMA_URL: z.url().optional(),
    /** The base address of an OpenAI-compatible endpoint that `infer` may ask for comparison, mostly with `/v1`. */
    ANNEAL_OPENAI_COMPATIBLE_URL: z.url({ protocol: /^https?$/ }).optional(),
    /** Its key, sent as a bearer token. */
    ANNEAL_OPENAI_COMPATIBLE_KEY: z.string().optional(),
    /** The program llama-server, for the deployment target of that name. */
    ANNEAL_LLAMA_SERVER: z.string().optional(),
    ANNEAL_TASK_QUEUE: z.string().default('anneal'),
    /** Seconds between two looks of a lease at its holder; minutes in production, less in demos. */
    ANNEAL_LEASE_WATCH_SECONDS: z.coerce.number().positive().default(180),
    /** Seconds after which a lease looks again for what a create under way may have left behind. */
    ANNEAL_LEASE_LOOK_AGAIN_SECONDS: z.coerce.number().nonnegative().default(45),
    /** Whether runs and leases carry search attributes, which must be registered first. */
    ANNEAL_SEARCH_ATTRIBUTES: z.stringbool().default(false),
    /** Seconds between polls in the first minute, the first hour and later: the default of `waiting`. */
    ANNEAL_WAITING_SECONDS: z
      .string()
      .regex(/^[\d.]+,[\d.]+,[\d.]+$/, 'must be three numbers of seconds, for instance 45,60,300')
      .default('45,60,300'),
  })
  .superRefine((environment, context) => {
    if (environment.ANNEAL_CLOUD === 'sandbox' && !environment.ANNEAL_AWS_ENDPOINT) {
      context.addIssue({
        code: 'custom',
        path: ['ANNEAL_AWS_ENDPOINT'],
        message:
          'is missing; name the sandbox, or set ANNEAL_CLOUD=aws and ANNEAL_AWS_ACCOUNT to spend real money',
      });
    }
    const endpoint = environment.ANNEAL_OPENAI_COMPATIBLE_URL;
    if (endpoint && /^[^/]*\/\/[^/?#]*@/.test(endpoint)) {
      context.addIssue({
        code: 'custom',
        path: ['ANNEAL_OPENAI_COMPATIBLE_URL'],
        message: 'holds a user name or password; name a key with ANNEAL_OPENAI_COMPATIBLE_KEY instead',
      });
    }
    if (environment.ANNEAL_CLOUD === 'aws' && !environment.ANNEAL_AWS_ACCOUNT) {
      context.addIssue({
        code: 'custom',
        path: ['ANNEAL_AWS_ACCOUNT'],
        message: 'is missing; name the 12 digits of the account that may be charged',
      });
    }
    if (environment.ANNEAL_CLOUD === 'aws' && environment.ANNEAL_AWS_ENDPOINT) {
      context.addIssue({
        code: 'custom',
        path: ['ANNEAL_AWS_ENDPOINT'],
        message: 'is set although ANNEAL_CLOUD=aws; remove one of the two',
      });
    }
  });

export interface Config {
  readonly cloud: 'sandbox' | 'aws';
  readonly awsEndpoint: string | null;
  readonly awsAccount: string | null;
  readonly awsRegion: string;
  readonly bucket: string;
  readonly bedrockRoleArn: string | null;
  readonly sagemakerRoleArn: string | null;
  readonly databaseUrl: string;
  /** Postgres URLs that run specs may read rows from, by their variable: every `…_DATABASE_URL`. */
  readonly sourceDatabaseUrls: Readonly<Record<string, string>>;
  readonly recipesDirectory: string;
  readonly pricesPath: string;
  readonly imagesPath: string;
  readonly home: string;
  readonly localPython: string;
  /** For programs of other people: the environment without addresses and secrets of the service. */
  readonly toolEnvironment: Readonly<Record<string, string | undefined>>;
  readonly localTrainers: number;
  readonly callsPerSecond: number;
  readonly computeActivities: number;
  readonly ollamaUrl: string | null;
  readonly endpointUrl: string | null;
  readonly endpointKey: string | null;
  readonly llamaServer: string;
  readonly taskQueue: string;
  readonly leaseWatchSeconds: number;
  readonly leaseLookAgainSeconds: number;
  readonly searchAttributes: boolean;
  readonly waiting: Waiting;
}

/** Reads and checks the environment; one error lists everything that is wrong with it. */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const parsed = environmentSchema.safeParse(
    Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== '')),
  );
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new Error(`The configuration is not usable:\n  ${problems.join('\n  ')}`);
  }
  const values = parsed.data;
  const [firstMinuteSeconds = 45, firstHourSeconds = 60, laterSeconds = 300] =
    values.ANNEAL_WAITING_SECONDS.split(',').map(Number);
  const home = resolve(values.ANNEAL_HOME);
  return Object.freeze({
    cloud: values.ANNEAL_CLOUD,
    awsEndpoint: values.ANNEAL_AWS_ENDPOINT ?? null,
    awsAccount: values.ANNEAL_AWS_ACCOUNT ?? null,
    awsRegion: values.ANNEAL_AWS_REGION,
    bucket: values.ANNEAL_BUCKET,
    bedrockRoleArn: values.ANNEAL_BEDROCK_ROLE_ARN ?? null,
    sagemakerRoleArn: values.ANNEAL_SAGEMAKER_ROLE_ARN ?? null,
    databaseUrl: values.DATABASE_URL,
    sourceDatabaseUrls: sourceDatabaseUrls(environment),
    recipesDirectory: values.ANNEAL_RECIPES ?? fromProject('recipes'),
    pricesPath: values.ANNEAL_PRICES ?? fromProject('prices/aws.json'),
    imagesPath: values.ANNEAL_IMAGES ?? fromProject('images/sagemaker.json'),
    home,
    toolEnvironment: withoutSecrets(environment),
    localPython: resolve(values.ANNEAL_LOCAL_PYTHON ?? join(home, 'local', 'venv', 'bin', 'python')),
    localTrainers: values.ANNEAL_LOCAL_TRAINERS,
    callsPerSecond: values.ANNEAL_CALLS_PER_SECOND,
    computeActivities: values.ANNEAL_COMPUTE_ACTIVITIES,
    ollamaUrl: values.ANNEAL_OLLAMA_URL ?? null,
    endpointUrl: values.ANNEAL_OPENAI_COMPATIBLE_URL ?? null,
    endpointKey: values.ANNEAL_OPENAI_COMPATIBLE_KEY ?? null,
    llamaServer: resolve(values.ANNEAL_LLAMA_SERVER ?? join(home, 'local', 'bin', 'llama-server')),
    taskQueue: values.ANNEAL_TASK_QUEUE,
    leaseWatchSeconds: values.ANNEAL_LEASE_WATCH_SECONDS,
    leaseLookAgainSeconds: values.ANNEAL_LEASE_LOOK_AGAIN_SECONDS,
    searchAttributes: values.ANNEAL_SEARCH_ATTRIBUTES,
    waiting: { firstMinuteSeconds, firstHourSeconds, laterSeconds },
  });
}

const secretive = /^(AWS_|ANNEAL_|DATABASE_|TEMPORAL_|PGPASSWORD)|_DATABASE_URL$/;

function sourceDatabaseUrls(environment: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const named = Object.entries(environment).filter(([name, url]) => /_DATABASE_URL$/.test(name) && url);
  return Object.fromEntries(named as [string, string][]);
}

function withoutSecrets(environment: NodeJS.ProcessEnv): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !secretive.test(name)));
}

function fromProject(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
