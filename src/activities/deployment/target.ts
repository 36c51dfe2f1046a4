import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
} from '../../domain/deployment.js';

/**
 * Where a model is served. Same rules as a training provider: one vendor, no waiting, permanent failures
 * typed, everything else left to Temporal's retries.
 */
export interface DeploymentTarget {
  readonly name: string;

  /** Fills in and checks target settings, and prices them. Throws `PermanentFailure('InvalidInput')`. */
  resolve(input: { baseModel: string; settings: Readonly<Record<string, unknown>> }): {
    settings: Record<string, unknown>;
    usdPerHour: number;
    /** US dollars per 1,000 tokens in and out when invoked; zero where the hour covers it. */
    usdPerThousandInputTokens: number;
    usdPerThousandOutputTokens: number;
  };

  /** Creates the deployment or adopts our own of the same name; a stranger's name is a `Conflict`. */
  create(request: DeploymentRequest): Promise<DeploymentReference>;

  /** Finds a deployment by its name; null when there is none. */
  find(name: string): Promise<DeploymentReference | null>;

  /** Null when it does not exist (any more). */
  describe(deployment: DeploymentReference): Promise<DeploymentDescription | null>;

  /** Points an existing deployment at another model; idempotent. */
  update(deployment: DeploymentReference, modelId: string): Promise<void>;

  /** Deletes by name. Succeeds when it is gone already or never existed. Does not wait until it is gone. */
  delete(name: string): Promise<void>;
}
