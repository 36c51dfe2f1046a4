import { isJsonObject } from '../../domain/json.js';
import type { Route } from '../api/router.js';
import type { SandboxRequest } from '../http/message.js';
import type { State } from '../state.js';

/**
 * The names and ARNs that a call to Bedrock bears in its path, its query and the top of its body, and the
 * other names of the resources that they mean: a call by ARN is also one by name, and the reverse.
 */
export function namesInCall(
  state: State,
  route: Route | null,
  request: SandboxRequest,
  body: Buffer,
): readonly string[] {
  const borne = [...Object.values(route?.labels ?? {}), ...request.query.values(), ...textsOf(body)];
  return [...new Set(borne.flatMap((name) => [name, ...otherNames(state, name)]))];
}

function textsOf(body: Buffer): string[] {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isJsonObject(value) ? Object.values(value).filter((each) => typeof each === 'string') : [];
  } catch {
    return [];
  }
}

function otherNames(state: State, name: string): string[] {
  const { jobs, trainingJobs, models, deployments, throughputs } = state;
  const served = [...models.values(), ...deployments.values(), ...throughputs.values()];
  return [
    ...[...jobs.values()]
      .filter((job) => job.arn === name || job.jobName === name)
      .flatMap((job) => [job.arn, job.jobName, job.modelName]),
    ...[...trainingJobs.values()]
      .filter((job) => job.arn === name || job.name === name)
      .flatMap((job) => [job.arn, job.name]),
    ...served
      .filter((each) => each.deletedAt === null && (each.arn === name || each.name === name))
      .flatMap((each) => [each.arn, each.name]),
  ];
}
