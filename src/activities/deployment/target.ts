import type { ModelFormat } from '../../domain/artifact.js';
import type {
  DeploymentDescription,
  DeploymentReference,
  DeploymentRequest,
} from '../../domain/deployment.js';
import type { OwnedPage } from '../../domain/sweep.js';

/**
 * Where a model is served. Same rules as a training provider: one vendor, no waiting, permanent failures
 * typed, everything else left to Temporal's retries.
 */
export interface DeploymentTarget {
  readonly name: string;
  /** What it can serve. */
  readonly serves: ModelFormat;
  /**
   * The target on which a candidate is tried before it replaces a champion in place; null where trying costs
   * nothing by the hour and every version may keep a deployment of its own.
   */
  readonly trialTarget: string | null;
  /** Seconds within which one answer can be expected: what `infer` waits where nobody says otherwise. */
  readonly answerSeconds: number;

  /** Fills in and checks target settings, and prices them. Throws `PermanentFailure('InvalidInput')`. */
  resolve(input: { baseModel: string; settings: Readonly<Record<string, unknown>> }): {
    settings: Record<string, unknown>;
    usdPerHour: number;
    /** Units that `usdPerHour` is for; 1 where the target knows none. */
    units: number;
    /** The whole term's price where the settings buy a commitment, which cannot be ended early; else null. */
    commitmentUsd: number | null;
    /** US dollars per 1,000 tokens in and out when invoked; zero where the hour covers it. */
    usdPerThousandInputTokens: number;
    usdPerThousandOutputTokens: number;
  };

  /**
   * Creates the deployment, or adopts the one that this request created; a stranger's name is a `Conflict`.
   * Sends no create once `isCurrent` says that another attempt may be at work. Throws `Obstacle` where quota,
   * capacity or a permission is missing.
   */
  create(request: DeploymentRequest, isCurrent?: () => boolean): Promise<DeploymentReference>;

  /** Finds a deployment by its name; null when there is none. */
  find(name: string): Promise<DeploymentReference | null>;

  /** Null when it does not exist (any more). */
  describe(deployment: DeploymentReference): Promise<DeploymentDescription | null>;

  /** Points an existing deployment at another model; idempotent. */
  update(deployment: DeploymentReference, modelId: string): Promise<void>;

  /** Deletes by name. Succeeds when it is gone already or never existed. Does not wait until it is gone. */
  delete(name: string): Promise<void>;

  /** One page of what carries Anneal's tags on this target; `page` is the last one's `next`. */
  listOwned(page: string | null): Promise<OwnedPage>;
}
