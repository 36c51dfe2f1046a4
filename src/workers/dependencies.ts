import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { AdmissionQueue } from '../activities/admission/admission-queue.js';
import { createAdmissionQueue } from '../activities/admission/postgres-admission-queue.js';
import type { Budgets } from '../activities/budgets/budgets.js';
import { createBudgets } from '../activities/budgets/postgres-budgets.js';
import type { Converter } from '../activities/conversion/converter.js';
import { createLocalConverter } from '../activities/conversion/local/converter.js';
import type { ObjectInventory, ObjectStore } from '../activities/dataset/object-store.js';
import { createS3ObjectStore } from '../activities/dataset/s3-object-store.js';
import { createBedrockOnDemandTarget } from '../activities/deployment/bedrock-on-demand.js';
import { createBedrockProvisionedTarget } from '../activities/deployment/bedrock-provisioned.js';
import { createModelFiles, type ModelFiles } from '../activities/deployment/gguf/model-files.js';
import { createRecordsInStore } from '../activities/deployment/gguf/records.js';
import { createLlamaCppTarget } from '../activities/deployment/llama-cpp/target.js';
import { createServers } from '../activities/deployment/llama-server/servers.js';
import { createLlamaServerTarget } from '../activities/deployment/llama-server/target.js';
import { createOllamaHost } from '../activities/deployment/ollama/host.js';
import type { OllamaSettings } from '../activities/deployment/ollama/settings.js';
import { createOllamaTarget } from '../activities/deployment/ollama/target.js';
import { withBaseModels } from '../activities/inference/base-models.js';
import { createBedrockInferenceClient } from '../activities/inference/bedrock.js';
import type { InferenceClient } from '../activities/inference/client.js';
import { createLlamaCppInferenceClient } from '../activities/inference/llama-cpp/client.js';
import { createNodeLlamaCppEngine } from '../activities/inference/llama-cpp/node-llama-cpp.js';
import { createLlamaServerInferenceClient } from '../activities/inference/llama-server/client.js';
import { createOllamaApi } from '../activities/inference/ollama/api.js';
import { createOllamaInferenceClient } from '../activities/inference/ollama/client.js';
import { createEndpointInferenceClient } from '../activities/inference/openai-compatible/endpoint.js';
import { createResourceRemover, type ResourceRemover } from '../activities/leases/remover.js';
import { createLocalParityMeter } from '../activities/parity/local/meter.js';
import type { ParityMeter } from '../activities/parity/meter.js';
import type { Providers } from '../activities/providers.js';
import { createRegistry } from '../activities/registry/postgres-registry.js';
import type { Registry } from '../activities/registry/registry.js';
import type { ResolveDependencies } from '../activities/run-spec/resolve.js';
import type { Inventory } from '../activities/sweep/inventory.js';
import { createInventory } from '../activities/sweep/postgres-inventory.js';
import { createBedrockTrainingProvider } from '../activities/training/bedrock.js';
import { createLocalTrainingProvider } from '../activities/training/local/provider.js';
import { createSageMakerTrainingProvider } from '../activities/training/sagemaker/provider.js';
import type { DeploymentUsage } from '../activities/usage/deployment-usage.js';
import { createDeploymentUsage } from '../activities/usage/postgres-deployment-usage.js';
import { assertAccount } from '../aws/account.js';
import { type AwsClients, createAwsClients } from '../aws/clients.js';
import { loadPrices } from '../aws/prices.js';
import { loadTrainingImages } from '../aws/training-images.js';
import { createCallLimit } from '../database/call-limit.js';
import { createDatabase, createPool } from '../database/database.js';
import { createSourceDatabases, type SourceDatabases } from '../database/source-rows.js';
import type { Recipe } from '../domain/recipe.js';
import type { Waiting } from '../domain/waiting.js';
import { loadRecipes } from '../recipes/registry.js';
import type { Config } from './config.js';

/** Everything that activities and commands work with; constructed here and nowhere else. */
export interface Dependencies {
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly providers: Providers;
  readonly registry: Registry;
  readonly converter: Converter;
  readonly parity: ParityMeter;
  readonly budgets: Budgets;
  readonly objects: ObjectStore & ObjectInventory;
  readonly databases: SourceDatabases;
  readonly inventory: Inventory;
  readonly usage: DeploymentUsage;
  readonly storageUsdPerGigabyteMonth: number;
  readonly remover: ResourceRemover;
  readonly cloud: Config['cloud'];
  readonly bucket: string;
  readonly waiting: Waiting;
  readonly admission: AdmissionQueue;
  readonly watchSeconds: number;
  readonly lookAgainSeconds: number;
  readonly searchAttributes: boolean;
  /** How much of the compute queue one worker takes on at once. */
  readonly computeActivities: number;
  readonly temporaryDirectory: string;
  /** Where relative paths of a run spec's files start. */
  readonly workingDirectory: string;
  close(): Promise<void>;
}

/** The role that the local cloud takes for granted; real AWS needs one that exists. */
const sandboxRoleArn = 'arn:aws:iam::000000000000:role/AnnealSandbox';

/** The training programs that come with the project. */
const trainingDirectory = fileURLToPath(new URL('../../training', import.meta.url));

/** Constructs every client; with `cloud: aws` only after the caller's account was found to be the named one. */
export async function createDependencies(config: Config): Promise<Dependencies> {
  const pool = createPool(config.databaseUrl);
  const clients = createAwsClients({
    cloud: config.cloud,
    endpoint: config.awsEndpoint,
    region: config.awsRegion,
    callLimit: createCallLimit({
      pool,
      account: `${config.awsAccount ?? config.cloud}/${config.awsRegion}`,
      callsPerSecond: config.callsPerSecond,
    }),
  });
  if (config.cloud === 'aws') await assertAccount(clients, config.awsAccount ?? '');
  const database = createDatabase(config.databaseUrl, pool);
  const objects = createS3ObjectStore({ s3: clients.s3, bucket: config.bucket });
  if (config.cloud === 'sandbox') await objects.ensureBucket();
  const providers = createProviders(config, clients, objects);
  const admission = createAdmissionQueue(database);
  const localTools = {
    objects,
    home: config.home,
    python: config.localPython,
    environment: config.toolEnvironment,
    trainingDirectory,
  };
  return {
    recipes: loadRecipes(config.recipesDirectory),
    providers,
    registry: createRegistry(database),
    converter: createLocalConverter(localTools),
    parity: createLocalParityMeter({
      ...localTools,
      engine: createNodeLlamaCppEngine({ home: config.home }),
    }),
    budgets: createBudgets(database),
    objects,
    databases: createSourceDatabases(config.sourceDatabaseUrls),
    inventory: createInventory(database),
    usage: createDeploymentUsage(database),
    storageUsdPerGigabyteMonth: loadPrices(config.pricesPath).objectStorageUsdPerGigabyteMonth(),
    remover: createResourceRemover(providers, objects, admission),
    cloud: config.cloud,
    bucket: config.bucket,
    waiting: config.waiting,
    admission,
    watchSeconds: config.leaseWatchSeconds,
    lookAgainSeconds: config.leaseLookAgainSeconds,
    searchAttributes: config.searchAttributes,
    computeActivities: config.computeActivities,
    temporaryDirectory: tmpdir(),
    workingDirectory: process.cwd(),
    close: async () => {
      clients.destroy();
      await database.destroy();
    },
  };
}

/** What resolving and estimating a run spec needs; its clients are never called. */
export function createResolveDependencies(
  config: Config,
): ResolveDependencies & { readonly databases: SourceDatabases; close(): void } {
  const clients = createAwsClients({
    cloud: config.cloud,
    endpoint: config.awsEndpoint,
    region: config.awsRegion,
  });
  return {
    recipes: loadRecipes(config.recipesDirectory),
    providers: createProviders(
      config,
      clients,
      createS3ObjectStore({ s3: clients.s3, bucket: config.bucket }),
    ),
    cloud: config.cloud,
    bucket: config.bucket,
    waiting: config.waiting,
    searchAttributes: config.searchAttributes,
    databases: createSourceDatabases(config.sourceDatabaseUrls),
    close: () => clients.destroy(),
  };
}

/** Budgets alone, for commands that need nothing but the database. */
export function openBudgets({ databaseUrl }: Pick<Config, 'databaseUrl'>): {
  budgets: Budgets;
  close(): Promise<void>;
} {
  const database = createDatabase(databaseUrl);
  return { budgets: createBudgets(database), close: () => database.destroy() };
}

/** A client of the Temporal server, for commands; the worker brings its own to its activities. */
export async function connectTemporal(address: string, namespace: string): Promise<Client> {
  const connection = await Connection.connect({ address });
  return new Client({ connection, namespace });
}

/** A client of the server that `TEMPORAL_*` or a profile names, as the `temporal` command understands them. */
export async function connectProfile(): Promise<Client> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await Connection.connect(connectionOptions);
  return new Client({ connection, namespace });
}

/** The one place that says which vendor stands behind a name in a run spec. */
export function createProviders(
  config: Config,
  { bedrock, bedrockRuntime, sagemaker }: AwsClients,
  objects: ObjectStore & ObjectInventory,
): Providers {
  const prices = loadPrices(config.pricesPath);
  const usualRoleArn = config.cloud === 'sandbox' ? sandboxRoleArn : null;
  const roleArn = config.bedrockRoleArn ?? usualRoleArn;
  const { home, localPython: python, localTrainers: trainers } = config;
  const training = [
    createBedrockTrainingProvider({ bedrock, prices, defaults: { roleArn } }),
    createLocalTrainingProvider({ objects, home, python, trainers, trainingDirectory }),
    createSageMakerTrainingProvider({
      sagemaker,
      objects,
      trainingDirectory,
      temporaryDirectory: tmpdir(),
      defaults: {
        roleArn: config.sagemakerRoleArn ?? usualRoleArn,
        region: config.awsRegion,
        prices,
        images: loadTrainingImages(config.imagesPath),
      },
    }),
  ];
  const hosted = [
    createBedrockOnDemandTarget({ bedrock, prices }),
    createBedrockProvisionedTarget({ bedrock, prices }),
  ];
  const bedrockInference = createBedrockInferenceClient({ bedrockRuntime });
  const llamaCpp = {
    home,
    files: createModelFiles({ objects, home }),
    engine: createNodeLlamaCppEngine({ home }),
  };
  const ollama = createOllama(config, objects);
  const llamaServer = createLlamaServer(config, objects, llamaCpp.files);
  const targets = [
    ...hosted,
    createLlamaCppTarget({ ...llamaCpp, objects }),
    createOllamaTarget(ollama),
    createLlamaServerTarget(llamaServer),
  ];
  const inProcess = createLlamaCppInferenceClient(llamaCpp);
  const local = [
    inProcess,
    withBaseModels(createOllamaInferenceClient(ollama), inProcess),
    withBaseModels(createLlamaServerInferenceClient(llamaServer), inProcess),
  ];
  const endpoint = createEndpointInferenceClient({ url: config.endpointUrl, apiKey: config.endpointKey });
  return {
    training: new Map(training.map((provider) => [provider.name, provider])),
    targets: new Map(targets.map((target) => [target.name, target])),
    inference: new Map([
      ...hosted.map(({ name }): [string, InferenceClient] => [name, bedrockInference]),
      ...[...local, endpoint].map((client): [string, InferenceClient] => [client.name, client]),
    ]),
  };
}

function createOllama({ ollamaUrl }: Config, objects: ObjectStore) {
  const api = ollamaUrl === null ? null : createOllamaApi(ollamaUrl);
  const records = createRecordsInStore<OllamaSettings>(objects, 'ollama');
  return { objects, records, api, host: createOllamaHost({ objects, records, api }) };
}

function createLlamaServer(
  { home, localPython: python, llamaServer: program }: Config,
  objects: ObjectStore,
  files: ModelFiles,
) {
  const tools = { program, python };
  return { objects, home, files, tools, servers: createServers({ home, files, ...tools }) };
}
