import {
  type BedrockClient,
  CreateProvisionedModelThroughputCommand,
  DeleteProvisionedModelThroughputCommand,
  GetProvisionedModelThroughputCommand,
  type GetProvisionedModelThroughputResponse,
  ListProvisionedModelThroughputsCommand,
  type ProvisionedModelSummary,
  UpdateProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { z } from 'zod';
import { adoptOrCreate } from '../../aws/adopt-or-create.js';
import { type Dated, sendDated } from '../../aws/dated-response.js';
import { getOrList } from '../../aws/get-or-list.js';
import type { Prices } from '../../aws/prices.js';
import { bedrockTagReader, hashRequest, isOurs, toAwsTags, toClientRequestToken } from '../../aws/tags.js';
import { isNotFound, toFailure } from '../../aws/to-failure.js';
import { updateOnce } from '../../aws/update-once.js';
import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
  DeploymentStatus,
} from '../../domain/deployment.js';
import type { OwnedPage } from '../../domain/sweep.js';
import { baseModelOf, listOwnedPage, priceOrNull } from '../sweep/owned-page.js';
import { parseTargetSettings } from './bedrock-settings.js';
import type { DeploymentTarget } from './target.js';

export interface BedrockProvisionedOptions {
  readonly bedrock: BedrockClient;
  readonly prices: Prices;
}

const target = 'bedrock-provisioned';

const settingsSchema = z.strictObject({
  modelUnits: z.number().int().min(1).default(1),
  /** A commitment bills for the whole term and cannot be ended early; runs that buy one ask a person first. */
  commitmentDuration: z.enum(['OneMonth', 'SixMonths']).optional(),
});

/** The longest that such terms are: one month and six months of the calendar. */
const termHours = { OneMonth: 31 * 24, SixMonths: 184 * 24 } as const;

/** Provisioned model throughput on Amazon Bedrock: billed by the hour for as long as it exists. */
export function createBedrockProvisionedTarget({
  bedrock,
  prices,
}: BedrockProvisionedOptions): DeploymentTarget {
  return {
    name: target,
    serves: 'hosted',
    trialTarget: 'bedrock-on-demand',
    answerSeconds: 4,

    resolve({ baseModel, settings }) {
      const resolved = parseTargetSettings(settingsSchema, settings);
      const { modelUnits, commitmentDuration } = resolved;
      const usdPerHour = modelUnits * prices.modelUnitUsdPerHour(baseModel, commitmentDuration ?? 'none');
      return {
        settings: resolved,
        usdPerHour,
        units: modelUnits,
        commitmentUsd: commitmentDuration ? usdPerHour * termHours[commitmentDuration] : null,
        usdPerThousandInputTokens: 0,
        usdPerThousandOutputTokens: 0,
      };
    },

    async create(request, isCurrent = () => true) {
      const { name, idempotencyToken } = request;
      // Checked again here, because what is bought must not depend on who filled in the request.
      const settings = parseTargetSettings(settingsSchema, request.settings);
      const requestHash = hashRequest({ modelId: request.modelId, settings });
      const deploymentId = await adoptOrCreate(bedrockTagReader(bedrock), {
        kind: 'provisioned throughput',
        name,
        idempotencyToken,
        requestHash,
        isCurrent,
        needs: request.modelId,
        find: async () => (await get(bedrock, name))?.output.provisionedModelArn ?? null,
        create: async (abortSignal) => {
          const command = toCreateCommand(request, settings, requestHash);
          return (await bedrock.send(command, { abortSignal })).provisionedModelArn as string;
        },
      });
      return { target, name, deploymentId };
    },

    find: (name) => findOurs(bedrock, name),

    describe: (deployment) => describe(bedrock, deployment),

    update: (deployment, modelId) => update(bedrock, deployment, modelId),

    async delete(name) {
      const ours = await findOurs(bedrock, name);
      if (!ours) return;
      const command = new DeleteProvisionedModelThroughputCommand({ provisionedModelId: ours.deploymentId });
      await bedrock.send(command).catch((error: unknown) => {
        if (!isNotFound(error)) throw toFailure(error, `delete provisioned throughput ${name}`);
      });
    },

    listOwned: (page) => listOwned(bedrock, prices, page),
  };
}

/** Bedrock's status in our words; an unknown one counts as still being created, so that the wait goes on. */
export function mapBedrockThroughputStatus(
  status: GetProvisionedModelThroughputResponse['status'],
): DeploymentStatus {
  switch (status) {
    case 'Creating':
      return 'creating';
    case 'InService':
      return 'ready';
    case 'Updating':
      return 'updating';
    case 'Failed':
      return 'failed';
    default:
      // Fails to compile when a new version of the client knows a status that is not handled above.
      status satisfies undefined;
      return 'creating';
  }
}

function update(
  bedrock: BedrockClient,
  { name, deploymentId }: DeploymentReference,
  modelId: string,
): Promise<void> {
  return updateOnce({
    kind: 'provisioned throughput',
    name,
    async look() {
      const output = (await get(bedrock, deploymentId))?.output;
      if (output?.desiredModelArn === modelId) return 'updated';
      return output?.status === 'Updating' || output?.status === 'Creating' ? 'busy' : 'other';
    },
    send: () =>
      bedrock.send(
        new UpdateProvisionedModelThroughputCommand({
          provisionedModelId: deploymentId,
          desiredModelId: modelId,
        }),
      ),
  });
}

function toCreateCommand(
  request: DeploymentRequest,
  settings: z.infer<typeof settingsSchema>,
  requestHash: string,
): CreateProvisionedModelThroughputCommand {
  return new CreateProvisionedModelThroughputCommand({
    provisionedModelName: request.name,
    modelId: request.modelId,
    modelUnits: settings.modelUnits,
    commitmentDuration: settings.commitmentDuration,
    tags: toAwsTags(request.tags, { ...request, requestHash }),
    clientRequestToken: toClientRequestToken(request.idempotencyToken),
  });
}

async function describe(
  bedrock: BedrockClient,
  deployment: DeploymentReference,
): Promise<DeploymentDescription | null> {
  const found = await get(bedrock, deployment.deploymentId);
  if (!found) return null;
  const { output, observedAt } = found;
  return {
    status: mapBedrockThroughputStatus(output.status),
    rawStatus: output.status ?? 'unknown',
    failureMessage: output.failureMessage ?? null,
    modelId: output.modelArn ?? null,
    createdAt: output.creationTime?.toISOString() ?? null,
    observedAt,
  };
}

function listOwned(bedrock: BedrockClient, prices: Prices, page: string | null): Promise<OwnedPage> {
  const command = new ListProvisionedModelThroughputsCommand({
    maxResults: 100,
    nextToken: page ?? undefined,
  });
  const send = async () => {
    const { provisionedModelSummaries = [], nextToken } = await bedrock.send(command);
    return {
      resources: provisionedModelSummaries.map((listed) => toOwned(prices, listed)),
      next: nextToken ?? null,
    };
  };
  return listOwnedPage(bedrockTagReader(bedrock), command, send, 'list provisioned throughputs');
}

/** The settings are what would buy the same again; a commitment is never among them. */
function toOwned(prices: Prices, listed: ProvisionedModelSummary) {
  const modelUnits = listed.modelUnits ?? 1;
  const baseModel = baseModelOf(listed.foundationModelArn);
  return {
    kind: 'deployment' as const,
    provider: target,
    name: listed.provisionedModelName ?? '',
    id: listed.provisionedModelArn ?? '',
    createdAt: listed.creationTime?.toISOString() ?? null,
    usdPerHour: priceOrNull(
      () => modelUnits * prices.modelUnitUsdPerHour(baseModel, listed.commitmentDuration ?? 'none'),
    ),
    settings: { modelUnits },
  };
}

async function findOurs(bedrock: BedrockClient, name: string): Promise<DeploymentReference | null> {
  const arn = (await get(bedrock, name))?.output.provisionedModelArn;
  return arn && (await isOurs(bedrockTagReader(bedrock), arn)) ? { target, name, deploymentId: arn } : null;
}

function get(
  bedrock: BedrockClient,
  identifier: string,
): Promise<Dated<GetProvisionedModelThroughputResponse> | null> {
  return getOrList({
    kind: 'provisioned throughput',
    identifier,
    get: (provisionedModelId) =>
      sendDated<GetProvisionedModelThroughputResponse>(
        bedrock,
        new GetProvisionedModelThroughputCommand({ provisionedModelId }),
      ),
    async findInList(name) {
      const command = new ListProvisionedModelThroughputsCommand({ nameContains: name, maxResults: 100 });
      const { provisionedModelSummaries = [] } = await bedrock.send(command);
      const found = provisionedModelSummaries.find((each) => each.provisionedModelName === name);
      return found?.provisionedModelArn;
    },
  });
}
