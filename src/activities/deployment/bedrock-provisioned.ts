import {
  type BedrockClient,
  CreateProvisionedModelThroughputCommand,
  DeleteProvisionedModelThroughputCommand,
  GetProvisionedModelThroughputCommand,
  type GetProvisionedModelThroughputResponse,
  UpdateProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { z } from 'zod';
import { adoptOrCreate } from '../../aws/adopt-or-create.js';
import { sendDated } from '../../aws/dated-response.js';
import type { Prices } from '../../aws/prices.js';
import { isOurs, toBedrockTags, toClientRequestToken } from '../../aws/tags.js';
import { isNotFound, toFailure } from '../../aws/to-failure.js';
import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
  DeploymentStatus,
} from '../../domain/deployment.js';
import { parseTargetSettings } from './bedrock-settings.js';
import type { DeploymentTarget } from './target.js';

export interface BedrockProvisionedOptions {
  readonly bedrock: BedrockClient;
  readonly prices: Prices;
}

const target = 'bedrock-provisioned';

const settingsSchema = z
  .strictObject({
    modelUnits: z.number().int().min(1).default(1),
    /** A commitment bills for the whole term and cannot be ended early. */
    commitmentDuration: z.enum(['OneMonth', 'SixMonths']).optional(),
    commitmentApproved: z.boolean().optional(),
  })
  .superRefine(({ commitmentDuration, commitmentApproved }, context) => {
    if (!commitmentDuration || commitmentApproved === true) return;
    context.addIssue({
      code: 'custom',
      path: ['commitmentDuration'],
      input: commitmentDuration,
      message:
        'no commitment; one cannot be ended before its term and is bought only with "commitmentApproved": true beside it',
    });
  });

/** Provisioned model throughput on Amazon Bedrock: billed by the hour for as long as it exists. */
export function createBedrockProvisionedTarget({
  bedrock,
  prices,
}: BedrockProvisionedOptions): DeploymentTarget {
  return {
    name: target,

    resolve({ baseModel, settings }) {
      const resolved = parseTargetSettings(settingsSchema, settings);
      const unitUsdPerHour = prices.modelUnitUsdPerHour(baseModel, resolved.commitmentDuration ?? 'none');
      return {
        settings: resolved,
        usdPerHour: unitUsdPerHour * resolved.modelUnits,
        usdPerThousandInputTokens: 0,
        usdPerThousandOutputTokens: 0,
      };
    },

    async create(request) {
      const { name, idempotencyToken } = request;
      // Checked again here, because what is bought must not depend on who filled in the request.
      const settings = parseTargetSettings(settingsSchema, request.settings);
      const deploymentId = await adoptOrCreate(bedrock, {
        kind: 'provisioned throughput',
        name,
        idempotencyToken,
        find: async () => (await get(bedrock, name))?.output.provisionedModelArn ?? null,
        create: async () =>
          (await bedrock.send(toCreateCommand(request, settings))).provisionedModelArn as string,
      });
      return { target, name, deploymentId };
    },

    find: (name) => findOurs(bedrock, name),

    describe: (deployment) => describe(bedrock, deployment),

    async update(deployment, modelId) {
      const found = await get(bedrock, deployment.deploymentId);
      if (found?.output.desiredModelArn === modelId) return;
      const command = new UpdateProvisionedModelThroughputCommand({
        provisionedModelId: deployment.deploymentId,
        desiredModelId: modelId,
      });
      await bedrock.send(command).catch((error: unknown) => {
        throw toFailure(error, `point provisioned throughput ${deployment.name} at another model`);
      });
    },

    async delete(name) {
      const ours = await findOurs(bedrock, name);
      if (!ours) return;
      const command = new DeleteProvisionedModelThroughputCommand({ provisionedModelId: ours.deploymentId });
      await bedrock.send(command).catch((error: unknown) => {
        if (!isNotFound(error)) throw toFailure(error, `delete provisioned throughput ${name}`);
      });
    },
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

function toCreateCommand(
  request: DeploymentRequest,
  settings: z.infer<typeof settingsSchema>,
): CreateProvisionedModelThroughputCommand {
  return new CreateProvisionedModelThroughputCommand({
    provisionedModelName: request.name,
    modelId: request.modelId,
    modelUnits: settings.modelUnits,
    commitmentDuration: settings.commitmentDuration,
    tags: toBedrockTags(request.tags, request.idempotencyToken),
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

async function findOurs(bedrock: BedrockClient, name: string): Promise<DeploymentReference | null> {
  const arn = (await get(bedrock, name))?.output.provisionedModelArn;
  return arn && (await isOurs(bedrock, arn)) ? { target, name, deploymentId: arn } : null;
}

/** Null when there is none. `identifier` is a name or an ARN; an empty one would turn Get into List. */
async function get(bedrock: BedrockClient, identifier: string) {
  if (identifier === '') throw new Error('A provisioned throughput without a name was asked for');
  try {
    return await sendDated<GetProvisionedModelThroughputResponse>(
      bedrock,
      new GetProvisionedModelThroughputCommand({ provisionedModelId: identifier }),
    );
  } catch (error) {
    if (isNotFound(error)) return null;
    throw toFailure(error, `look for provisioned throughput ${identifier}`);
  }
}
