import {
  type BedrockClient,
  CreateModelCustomizationJobCommand,
  DeleteCustomModelCommand,
  GetCustomModelCommand,
  GetModelCustomizationJobCommand,
  type GetModelCustomizationJobResponse,
  ListCustomModelsCommand,
  ListModelCustomizationJobsCommand,
  StopModelCustomizationJobCommand,
} from '@aws-sdk/client-bedrock';
import { adoptOrCreate } from '../../aws/adopt-or-create.js';
import { checkRecords, findTrainableModel, resolveHyperparameters } from '../../aws/nova-models.js';
import type { Prices } from '../../aws/prices.js';
import { bedrockTagReader, hashRequest, isOurs, toAwsTags, toClientRequestToken } from '../../aws/tags.js';
import { isConflict, isNotFound, toFailure } from '../../aws/to-failure.js';
import { PermanentFailure } from '../../domain/failures.js';
import { formatProblems, type InputProblem } from '../../domain/parse-input.js';
import type { OwnedPage } from '../../domain/sweep.js';
import {
  isTerminal,
  type TrainingJobDescription,
  type TrainingJobReference,
  type TrainingJobRequest,
} from '../../domain/training-job.js';
import { baseModelOf, listOwnedPage, priceOrNull } from '../sweep/owned-page.js';
import { type BedrockTrainingSettings, parseTrainingSettings } from './bedrock-settings.js';
import { describeBedrockProgress, mapBedrockJobStatus } from './bedrock-status.js';
import type { TrainingProvider } from './provider.js';

export interface BedrockTrainingOptions {
  readonly bedrock: BedrockClient;
  readonly prices: Prices;
  readonly defaults: {
    /** The role that Bedrock assumes to read training data and to write results; null when none is configured. */
    readonly roleArn: string | null;
  };
}

const name = 'bedrock';

/** Fine-tuning on Amazon Bedrock. */
export function createBedrockTrainingProvider(options: BedrockTrainingOptions): TrainingProvider {
  const { bedrock } = options;
  return {
    name,
    produces: 'hosted',
    resolve: (input) => resolve(options, input),
    storageUsdPerHour: (baseModel) => options.prices.modelStorageUsdPerHour(baseModel),
    submit: (request, isCurrent) => submit(bedrock, request, isCurrent),
    describe: (job) => describe(bedrock, job),
    cancel: (jobName) => cancel(bedrock, jobName),
    deleteModel: (modelName) => deleteModel(bedrock, modelName),
    hasModel: (modelName) => hasModel(bedrock, modelName),
    listOwned: (page) => listOwned(options, page),

    async find(jobName) {
      const job = await getJob(bedrock, jobName);
      if (!job?.jobArn || !(await isOurs(bedrockTagReader(bedrock), job.jobArn))) return null;
      return { provider: name, jobName, modelName: job.outputModelName ?? jobName, jobId: job.jobArn };
    },
  };
}

function resolve(
  { prices, defaults }: BedrockTrainingOptions,
  input: Parameters<TrainingProvider['resolve']>[0],
): ReturnType<TrainingProvider['resolve']> {
  const { baseModel } = input;
  const settings = parseTrainingSettings(input.settings, defaults);
  const problems: InputProblem[] = [...settings.problems];
  const found = findTrainableModel(baseModel);
  if ('problem' in found) throw invalid([found.problem, ...problems]);

  const hyperparameters = resolveHyperparameters(found.model, input.hyperparameters, input.records);
  problems.push(...hyperparameters.problems);
  const tooFewOrMany = input.records === null ? null : checkRecords(found.model, input.records);
  if (tooFewOrMany) problems.push(tooFewOrMany);
  if (problems.length > 0) throw invalid(problems);

  return {
    hyperparameters: hyperparameters.values,
    settings: { ...settings.value },
    usdPerThousandTokens: prices.trainingUsdPerThousandTokens(baseModel),
    epochs: Number(hyperparameters.values.epochCount),
    byHour: null,
  };
}

async function submit(
  bedrock: BedrockClient,
  request: TrainingJobRequest,
  isCurrent = () => true,
): Promise<TrainingJobReference> {
  const { jobName, modelName, idempotencyToken, tags: _, ...asked } = request;
  const requestHash = hashRequest(asked);
  const jobId = await adoptOrCreate(bedrockTagReader(bedrock), {
    kind: 'training job',
    name: jobName,
    idempotencyToken,
    requestHash,
    isCurrent,
    needs: null,
    find: async () => (await getJob(bedrock, jobName))?.jobArn ?? null,
    create: async (abortSignal) => {
      const { jobArn } = await bedrock.send(toCreateCommand(request, requestHash), { abortSignal });
      return jobArn as string;
    },
  });
  return { provider: name, jobName, modelName, jobId };
}

function toCreateCommand(
  request: TrainingJobRequest,
  requestHash: string,
): CreateModelCustomizationJobCommand {
  const settings = request.settings as BedrockTrainingSettings;
  const tags = toAwsTags(request.tags, { ...request, requestHash });
  return new CreateModelCustomizationJobCommand({
    jobName: request.jobName,
    customModelName: request.modelName,
    roleArn: settings.roleArn,
    clientRequestToken: toClientRequestToken(request.idempotencyToken),
    baseModelIdentifier: request.baseModel,
    customizationType: 'FINE_TUNING',
    customModelKmsKeyId: settings.kmsKeyId,
    jobTags: tags,
    customModelTags: tags,
    trainingDataConfig: { s3Uri: request.training.uri },
    validationDataConfig: request.validation
      ? { validators: [{ s3Uri: request.validation.uri }] }
      : undefined,
    outputDataConfig: { s3Uri: request.outputUri },
    hyperParameters: { ...request.hyperparameters },
    vpcConfig: settings.vpcConfig,
  });
}

async function describe(bedrock: BedrockClient, job: TrainingJobReference): Promise<TrainingJobDescription> {
  const found = await getJob(bedrock, job.jobId);
  if (!found) {
    // Jobs cannot be deleted: one that was created and is not known is not to be seen yet, or from here.
    throw new Error(
      `Bedrock knows no training job ${job.jobName} (${job.jobId}) yet; check region and account`,
    );
  }
  const validationLoss = found.validationMetrics?.at(-1)?.validationLoss;
  return {
    status: mapBedrockJobStatus(found.status),
    rawStatus: found.status ?? 'unknown',
    progress: describeBedrockProgress(found),
    failureMessage: found.failureMessage ?? null,
    modelId: found.outputModelArn ?? null,
    trainingLoss: found.trainingMetrics?.trainingLoss ?? null,
    validationLoss: validationLoss ?? null,
    startedAt: found.creationTime?.toISOString() ?? null,
    endedAt: found.endTime?.toISOString() ?? null,
    billedHours: null,
  };
}

async function cancel(bedrock: BedrockClient, jobName: string): Promise<void> {
  const job = await getJob(bedrock, jobName);
  if (!job?.jobArn || !isStoppable(job) || !(await isOurs(bedrockTagReader(bedrock), job.jobArn))) return;
  try {
    await bedrock.send(new StopModelCustomizationJobCommand({ jobIdentifier: job.jobArn }));
  } catch (error) {
    // It may have ended between the look and the request.
    const now = await getJob(bedrock, jobName);
    if (now && isStoppable(now)) throw toFailure(error, `stop training job ${jobName}`);
  }
}

function isStoppable(job: GetModelCustomizationJobResponse): boolean {
  const status = mapBedrockJobStatus(job.status);
  return !isTerminal(status) && status !== 'stopping';
}

async function deleteModel(bedrock: BedrockClient, modelName: string): Promise<void> {
  try {
    const { modelArn } = await bedrock.send(new GetCustomModelCommand({ modelIdentifier: modelName }));
    if (!modelArn || !(await isOurs(bedrockTagReader(bedrock), modelArn))) return;
    await bedrock.send(new DeleteCustomModelCommand({ modelIdentifier: modelArn }));
  } catch (error) {
    if (isNotFound(error)) return;
    if (isConflict(error)) {
      throw new Error(`The model ${modelName} is still in use: ${(error as Error).message}`, {
        cause: error,
      });
    }
    throw toFailure(error, `delete model ${modelName}`);
  }
}

async function hasModel(bedrock: BedrockClient, modelName: string): Promise<boolean> {
  try {
    const { modelArn } = await bedrock.send(new GetCustomModelCommand({ modelIdentifier: modelName }));
    return modelArn !== undefined && (await isOurs(bedrockTagReader(bedrock), modelArn));
  } catch (error) {
    if (isNotFound(error)) return false;
    throw toFailure(error, `look for model ${modelName}`);
  }
}

const jobsPage = 'jobs:';
const modelsPage = 'models:';

function listOwned(options: BedrockTrainingOptions, page: string | null): Promise<OwnedPage> {
  if (page?.startsWith(modelsPage)) return listModels(options, page.slice(modelsPage.length));
  return listRunningJobs(options, page?.slice(jobsPage.length) ?? '');
}

async function listRunningJobs({ bedrock }: BedrockTrainingOptions, token: string): Promise<OwnedPage> {
  const command = new ListModelCustomizationJobsCommand({
    statusEquals: 'InProgress',
    maxResults: 100,
    nextToken: token || undefined,
  });
  const send = async () => {
    const { modelCustomizationJobSummaries = [], nextToken } = await bedrock.send(command);
    const resources = modelCustomizationJobSummaries.map((listed) => ({
      kind: 'training-job' as const,
      provider: name,
      name: listed.jobName ?? '',
      id: listed.jobArn ?? '',
      createdAt: listed.creationTime?.toISOString() ?? null,
      // Billed by token, once.
      usdPerHour: 0,
      settings: {},
    }));
    return { resources, next: nextToken ? `${jobsPage}${nextToken}` : modelsPage };
  };
  return listOwnedPage(bedrockTagReader(bedrock), command, send, 'list training jobs');
}

async function listModels(options: BedrockTrainingOptions, token: string): Promise<OwnedPage> {
  const { bedrock, prices } = options;
  const command = new ListCustomModelsCommand({
    isOwned: true,
    maxResults: 100,
    nextToken: token || undefined,
  });
  const send = async () => {
    const { modelSummaries = [], nextToken } = await bedrock.send(command);
    const resources = modelSummaries.map((listed) => ({
      kind: 'model' as const,
      provider: name,
      name: listed.modelName ?? '',
      id: listed.modelArn ?? '',
      createdAt: listed.creationTime?.toISOString() ?? null,
      usdPerHour: priceOrNull(() => prices.modelStorageUsdPerHour(baseModelOf(listed.baseModelArn))),
      settings: {},
    }));
    return { resources, next: nextToken ? `${modelsPage}${nextToken}` : null };
  };
  return listOwnedPage(bedrockTagReader(bedrock), command, send, 'list trained models');
}

/** Null when there is none. `identifier` is a name or an ARN; an empty one would turn Get into List. */
async function getJob(
  bedrock: BedrockClient,
  identifier: string,
): Promise<GetModelCustomizationJobResponse | null> {
  if (identifier === '') throw new Error('A training job without a name was asked for');
  try {
    return await bedrock.send(new GetModelCustomizationJobCommand({ jobIdentifier: identifier }));
  } catch (error) {
    if (isNotFound(error)) return null;
    throw toFailure(error, `look for training job ${identifier}`);
  }
}

function invalid(problems: readonly InputProblem[]): PermanentFailure {
  return new PermanentFailure('InvalidInput', formatProblems('training', problems), [...problems]);
}
