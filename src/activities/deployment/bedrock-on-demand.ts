import {
  type BedrockClient,
  CreateCustomModelDeploymentCommand,
  DeleteCustomModelDeploymentCommand,
  GetCustomModelDeploymentCommand,
  type GetCustomModelDeploymentResponse,
  ListCustomModelDeploymentsCommand,
  UpdateCustomModelDeploymentCommand,
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
  DeploymentStatus,
} from '../../domain/deployment.js';
import type { OwnedPage } from '../../domain/sweep.js';
import { listOwnedPage, priceOrNull } from '../sweep/owned-page.js';
import { parseTargetSettings } from './bedrock-settings.js';
import type { DeploymentTarget } from './target.js';

export interface BedrockOnDemandOptions {
  readonly bedrock: BedrockClient;
  readonly prices: Prices;
}

const target = 'bedrock-on-demand';

/** Billed by token, nothing by the hour: there is nothing to set. */
const settingsSchema = z.strictObject({});

/** Custom model deployments on Amazon Bedrock. */
export function createBedrockOnDemandTarget({ bedrock, prices }: BedrockOnDemandOptions): DeploymentTarget {
  return {
    name: target,
    serves: 'hosted',
    trialTarget: null,
    answerSeconds: 4,

    resolve: ({ baseModel, settings }) => ({
      settings: parseTargetSettings(settingsSchema, settings),
      usdPerHour: prices.deploymentUsdPerHour(baseModel),
      units: 1,
      commitmentUsd: null,
      usdPerThousandInputTokens: prices.usdPerThousandInputTokens(baseModel),
      usdPerThousandOutputTokens: prices.usdPerThousandOutputTokens(baseModel),
    }),

    async create({ name, idempotencyToken, modelId, tags, settings }, isCurrent = () => true) {
      const requestHash = hashRequest({ modelId, settings });
      const deploymentId = await adoptOrCreate(bedrockTagReader(bedrock), {
        kind: 'deployment',
        name,
        idempotencyToken,
        requestHash,
        isCurrent,
        needs: modelId,
        find: async () => (await get(bedrock, name))?.output.customModelDeploymentArn ?? null,
        create: async (abortSignal) => {
          const command = new CreateCustomModelDeploymentCommand({
            modelDeploymentName: name,
            modelArn: modelId,
            tags: toAwsTags(tags, { idempotencyToken, requestHash }),
            clientRequestToken: toClientRequestToken(idempotencyToken),
          });
          return (await bedrock.send(command, { abortSignal })).customModelDeploymentArn as string;
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
      const command = new DeleteCustomModelDeploymentCommand({
        customModelDeploymentIdentifier: ours.deploymentId,
      });
      await bedrock.send(command).catch((error: unknown) => {
        if (!isNotFound(error)) throw toFailure(error, `delete deployment ${name}`);
      });
    },

    listOwned: (page) => listOwned(bedrock, prices, page),
  };
}

/** Bedrock's status in our words; an unknown one counts as still being created, so that the wait goes on. */
export function mapBedrockDeploymentStatus(
  deployment: Pick<GetCustomModelDeploymentResponse, 'status' | 'updateDetails'>,
): DeploymentStatus {
  const { status, updateDetails } = deployment;
  switch (status) {
    case 'Active':
      return updateDetails?.updateStatus === 'Updating' ? 'updating' : 'ready';
    case 'Failed':
      return 'failed';
    case 'Creating':
      return 'creating';
    default:
      // Fails to compile when a new version of the client knows a status that is not handled above.
      status satisfies undefined;
      return 'creating';
  }
}

async function describe(
  bedrock: BedrockClient,
  deployment: DeploymentReference,
): Promise<DeploymentDescription | null> {
  const found = await get(bedrock, deployment.deploymentId);
  if (!found) return null;
  const { output, observedAt } = found;
  const updateStatus = output.updateDetails?.updateStatus;
  return {
    status: mapBedrockDeploymentStatus(output),
    rawStatus: updateStatus ? `${output.status}, ${updateStatus}` : (output.status ?? 'unknown'),
    failureMessage: output.failureMessage ?? null,
    modelId: output.modelArn ?? null,
    createdAt: output.createdAt?.toISOString() ?? null,
    observedAt,
  };
}

function update(
  bedrock: BedrockClient,
  { name, deploymentId }: DeploymentReference,
  modelId: string,
): Promise<void> {
  return updateOnce({
    kind: 'deployment',
    name,
    async look() {
      const output = (await get(bedrock, deploymentId))?.output;
      if (output && isServing(output, modelId)) return 'updated';
      const isBusy = output?.status === 'Creating' || output?.updateDetails?.updateStatus === 'Updating';
      return isBusy ? 'busy' : 'other';
    },
    send: () =>
      bedrock.send(
        new UpdateCustomModelDeploymentCommand({
          customModelDeploymentIdentifier: deploymentId,
          modelArn: modelId,
        }),
      ),
  });
}

/** Whether a deployment serves a model, or is on its way to. */
function isServing({ modelArn, updateDetails }: GetCustomModelDeploymentResponse, modelId: string): boolean {
  if (updateDetails?.updateStatus === 'Updating') return updateDetails.modelArn === modelId;
  return modelArn === modelId;
}

function listOwned(bedrock: BedrockClient, prices: Prices, page: string | null): Promise<OwnedPage> {
  const command = new ListCustomModelDeploymentsCommand({ maxResults: 100, nextToken: page ?? undefined });
  // The list names no base model; the price is one for all of them.
  const usdPerHour = priceOrNull(() => prices.deploymentUsdPerHour('*'));
  const send = async () => {
    const { modelDeploymentSummaries = [], nextToken } = await bedrock.send(command);
    const resources = modelDeploymentSummaries.map((listed) => ({
      kind: 'deployment' as const,
      provider: target,
      name: listed.customModelDeploymentName ?? '',
      id: listed.customModelDeploymentArn ?? '',
      createdAt: listed.createdAt?.toISOString() ?? null,
      usdPerHour,
      settings: {},
    }));
    return { resources, next: nextToken ?? null };
  };
  return listOwnedPage(bedrockTagReader(bedrock), command, send, 'list deployments');
}

async function findOurs(bedrock: BedrockClient, name: string): Promise<DeploymentReference | null> {
  const arn = (await get(bedrock, name))?.output.customModelDeploymentArn;
  return arn && (await isOurs(bedrockTagReader(bedrock), arn)) ? { target, name, deploymentId: arn } : null;
}

function get(
  bedrock: BedrockClient,
  identifier: string,
): Promise<Dated<GetCustomModelDeploymentResponse> | null> {
  return getOrList({
    kind: 'deployment',
    identifier,
    get: (customModelDeploymentIdentifier) =>
      sendDated<GetCustomModelDeploymentResponse>(
        bedrock,
        new GetCustomModelDeploymentCommand({ customModelDeploymentIdentifier }),
      ),
    async findInList(name) {
      const command = new ListCustomModelDeploymentsCommand({ nameContains: name, maxResults: 100 });
      const { modelDeploymentSummaries = [] } = await bedrock.send(command);
      const found = modelDeploymentSummaries.find((each) => each.customModelDeploymentName === name);
      return found?.customModelDeploymentArn;
    },
  });
}
