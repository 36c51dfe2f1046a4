import type { DeploymentReference } from './deployment.js';
import type { ModelVersion } from './model-version.js';
import type { ResolvedRunSpec } from './run-spec.js';

/** A champion's deployment that another version of the same base model can take over without a purchase. */
export interface Swap {
  readonly deployment: NonNullable<ModelVersion['deployment']>;
  /** Who serves there until then, and again if the other does not answer. */
  readonly champion: Pick<ModelVersion, 'model' | 'version' | 'modelId'>;
}

/** Where a candidate is tried, and what it takes over once it has passed. */
export interface Placement {
  /** The run's spec with the deployment on which the candidate is tried. */
  readonly spec: ResolvedRunSpec;
  readonly swap: Swap | null;
  /** Where it serves already: the run was reset after its version had become champion. Else null. */
  readonly serving: DeploymentReference | null;
  /** What a person must agree to first; null where nobody has to be asked. */
  readonly question: string | null;
}
