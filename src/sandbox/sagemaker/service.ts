import { AwsError } from '../api/error.js';
import type { ServiceModel } from '../api/model.js';
import { InvalidResponse, parseInput, type Route, renderOutput } from '../api/router.js';
import { BodyTooLarge, jsonReply, type Reply, readBody, type SandboxRequest } from '../http/message.js';
import type { World } from '../world.js';
import { createTrainingJob, describeTrainingJob, listTrainingJobs, stopTrainingJob } from './jobs.js';
import { addTags, listTags } from './tags.js';

type Operation = (world: World, input: never, region: string) => object;

const operations: Readonly<Record<string, Operation>> = {
  CreateTrainingJob: createTrainingJob,
  DescribeTrainingJob: describeTrainingJob,
  StopTrainingJob: stopTrainingJob,
  ListTrainingJobs: listTrainingJobs,
  AddTags: addTags,
  ListTags: listTags,
};

const largestBodyBytes = 25_000_000;

/** The operation that a request names in its header; null when AWS's model has none of that name. */
export function findSageMakerRoute(model: ServiceModel, request: SandboxRequest): Route | null {
  const [, name = ''] = (request.headers['x-amz-target'] ?? '').split('.');
  const operation = Object.hasOwn(model.operations, name) ? model.operations[name] : undefined;
  return operation ? { model, operation, labels: {} } : null;
}

/** Performs one call in JSON 1.1; request and answer are checked against AWS's model. */
export async function performSageMakerCall(
  world: World,
  route: Route | null,
  request: SandboxRequest,
  region: string,
  onInvalidResponse: (problem: InvalidResponse) => void,
): Promise<Reply> {
  try {
    const body = await readBody(request.body, largestBodyBytes);
    const operation = route && operations[route.operation.name];
    if (!route || !operation) {
      const asked = route?.operation.name ?? request.headers['x-amz-target'] ?? 'an unnamed operation';
      throw new AwsError('UnknownOperationException', `The sandbox does not know ${asked}.`);
    }
    const input = parseInput(route, request, body);
    const reply = renderOutput(route, operation(world, input as never, region) as Record<string, unknown>);
    return { ...reply, headers: { ...reply.headers, 'content-type': contentType } };
  } catch (error) {
    if (error instanceof InvalidResponse) {
      onInvalidResponse(error);
      return sageMakerErrorReply(500, 'InternalFailure', error.message);
    }
    if (error instanceof BodyTooLarge) return sageMakerErrorReply(400, 'ValidationException', error.message);
    if (!(error instanceof AwsError)) throw error;
    if (!isExpected(route, error)) {
      onInvalidResponse(
        new InvalidResponse(`${route?.operation.name} does not declare ${error.name}: ${error.message}`),
      );
    }
    return sageMakerErrorReply(400, error.name, error.message);
  }
}

/** Every operation may refuse its input; anything else has to be declared. */
function isExpected(route: Route | null, { name }: AwsError): boolean {
  if (name === 'ValidationException' || name === 'UnknownOperationException') return true;
  return route !== null && declares(route.model, route.operation.name, name);
}

function declares(model: ServiceModel, operationName: string, errorName: string): boolean {
  const operation = model.operations[operationName];
  return operation?.errors?.some(({ shape }) => shape === errorName) ?? false;
}

const contentType = 'application/x-amz-json-1.1';

/** All of SageMaker's own errors have one status; their name stands in the body. */
export function sageMakerErrorReply(status: number, name: string, message: string): Reply {
  return jsonReply(
    status,
    { __type: name, message },
    { 'content-type': contentType, 'x-amzn-errortype': name },
  );
}
