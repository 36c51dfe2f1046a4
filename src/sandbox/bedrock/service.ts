import { AwsError } from '../api/error.js';
import { declaredErrorStatus } from '../api/model.js';
import { InvalidResponse, parseInput, type Route, renderOutput } from '../api/router.js';
import { BodyTooLarge, jsonReply, type Reply, readBody, type SandboxRequest } from '../http/message.js';
import { converse, invokeModel } from '../inference/operations.js';
import type { ServedModels } from '../inference/served-models.js';
import type { TrainingQueue } from '../training/queue.js';
import type { World } from '../world.js';
import * as customModels from './custom-models.js';
import * as deployments from './deployments.js';
import * as foundationModels from './foundation-models.js';
import * as jobs from './jobs.js';
import * as throughputs from './provisioned-throughput.js';
import * as tags from './tags.js';

export interface BedrockContext {
  readonly world: World;
  readonly training: TrainingQueue;
  readonly models: ServedModels;
  /** Called with an answer of ours that breaks AWS's model. */
  readonly onInvalidResponse: (problem: InvalidResponse) => void;
}

type Operation = (context: BedrockContext, input: never, region: string) => unknown;

const onWorld =
  (operation: (world: World, input: never, region: string) => unknown): Operation =>
  ({ world }, input, region) =>
    operation(world, input, region);

const operations: Readonly<Record<string, Operation>> = {
  CreateModelCustomizationJob: ({ world, training }, input, region) => {
    const { jobArn, created } = jobs.createModelCustomizationJob(world, input, region);
    if (created) training.add(created);
    return { jobArn };
  },
  GetModelCustomizationJob: onWorld(jobs.getModelCustomizationJob),
  ListModelCustomizationJobs: onWorld(jobs.listModelCustomizationJobs),
  StopModelCustomizationJob: ({ world, training }, input) => {
    const stopped = jobs.stopModelCustomizationJob(world, input);
    if (stopped) training.stop(stopped.arn);
    return {};
  },
  GetCustomModel: onWorld(customModels.getCustomModel),
  ListCustomModels: onWorld(customModels.listCustomModels),
  DeleteCustomModel: onWorld(customModels.deleteCustomModel),
  GetFoundationModel: onWorld(foundationModels.getFoundationModel),
  ListFoundationModels: onWorld(foundationModels.listFoundationModels),
  CreateProvisionedModelThroughput: onWorld(throughputs.createProvisionedModelThroughput),
  GetProvisionedModelThroughput: onWorld(throughputs.getProvisionedModelThroughput),
  ListProvisionedModelThroughputs: onWorld(throughputs.listProvisionedModelThroughputs),
  UpdateProvisionedModelThroughput: onWorld(throughputs.updateProvisionedModelThroughput),
  DeleteProvisionedModelThroughput: onWorld(throughputs.deleteProvisionedModelThroughput),
  CreateCustomModelDeployment: onWorld(deployments.createCustomModelDeployment),
  GetCustomModelDeployment: onWorld(deployments.getCustomModelDeployment),
  ListCustomModelDeployments: onWorld(deployments.listCustomModelDeployments),
  UpdateCustomModelDeployment: onWorld(deployments.updateCustomModelDeployment),
  DeleteCustomModelDeployment: onWorld(deployments.deleteCustomModelDeployment),
  TagResource: onWorld(tags.tagResource),
  UntagResource: onWorld(tags.untagResource),
  ListTagsForResource: onWorld(tags.listTagsForResource),
  Converse: ({ world, models }, input) => converse(world, models, input),
  InvokeModel: ({ world, models }, input) => invokeModel(world, models, input),
};

const largestBodyBytes = 25_000_000;

/** Performs one call of Bedrock or Bedrock Runtime; request and answer are checked against AWS's model. */
export async function performBedrockCall(
  context: BedrockContext,
  route: Route | null,
  request: SandboxRequest,
  region: string,
): Promise<Reply> {
  try {
    const body = await readBody(request.body, largestBodyBytes);
    const operation = route && operations[route.operation.name];
    if (!route || !operation) {
      const asked = route?.operation.name ?? `${request.method} ${request.rawPath}`;
      throw new AwsError('UnknownOperationException', `The sandbox does not know ${asked}.`);
    }
    const input = parseInput(route, request, body);
    return renderOutput(route, (await operation(context, input as never, region)) as Record<string, unknown>);
  } catch (error) {
    return errorReply(context, route, error);
  }
}

function errorReply(context: BedrockContext, route: Route | null, error: unknown): Reply {
  if (error instanceof InvalidResponse) {
    context.onInvalidResponse(error);
    return awsErrorReply(500, 'InternalServerException', error.message);
  }
  if (error instanceof BodyTooLarge) return awsErrorReply(400, 'ValidationException', error.message);
  if (!(error instanceof AwsError)) throw error;
  if (error.name === 'UnknownOperationException') return awsErrorReply(404, error.name, error.message);
  const declared = route && declaredErrorStatus(route.model, route.operation, error.name);
  const status = declared ?? error.undeclaredStatus;
  if (status) return awsErrorReply(status, error.name, error.message, error.members);
  context.onInvalidResponse(
    new InvalidResponse(`${route?.operation.name} does not declare ${error.name}: ${error.message}`),
  );
  return awsErrorReply(500, 'InternalServerException', error.message);
}

function awsErrorReply(
  status: number,
  name: string,
  message: string,
  members: Readonly<Record<string, unknown>> = {},
): Reply {
  return jsonReply(status, { message, ...members }, { 'x-amzn-errortype': name });
}
