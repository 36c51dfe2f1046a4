import type { DeploymentReference } from '../domain/deployment.js';
import type { ModelVersion } from '../domain/model-version.js';
import { failWith } from './failures.js';

/** The version's deployment, or a failure that says how to get one. */
export function requireDeployment(version: ModelVersion): DeploymentReference {
  if (version.deployment) return version.deployment;
  throw failWith(
    'InvalidInput',
    `version: ${version.model} version ${version.version} (${version.status}) is not deployed; start deploy with {"model":"${version.model}","version":${version.version}} first.`,
  );
}
