import type { ModelFormat } from '../../domain/artifact.js';
import type { HyperparameterValue } from '../../domain/hyperparameters.js';
import type { TrainingPriceByHour } from '../../domain/run-spec.js';
import type { OwnedPage } from '../../domain/sweep.js';
import type {
  TrainingJobDescription,
  TrainingJobReference,
  TrainingJobRequest,
} from '../../domain/training-job.js';

/**
 * Where training runs. Implementations speak one vendor's language and nothing else: no retries beyond the
 * client's own, no waiting, no clocks.
 *
 * Errors: `PermanentFailure` where trying again cannot help (`ProviderRejected`, `Conflict`,
 * `InvalidInput`); any other error is retried by Temporal.
 */
export interface TrainingProvider {
  readonly name: string;
  /** What a job leaves behind. */
  readonly produces: ModelFormat;

  /**
   * Fills in and checks the provider's own settings before anything is bought: hyperparameters in the base
   * model's ranges, its warm-up rule, base model known and trainable, dataset limits.
   * Throws `PermanentFailure('InvalidInput')` that names each path, what was found and what is allowed.
   */
  resolve(input: {
    baseModel: string;
    hyperparameters: Readonly<Record<string, HyperparameterValue>>;
    settings: Readonly<Record<string, unknown>>;
    /** Null before the dataset is built: rules that depend on its size are applied later. */
    records: number | null;
  }): {
    hyperparameters: Record<string, string>;
    settings: Record<string, unknown>;
    /** US dollars per 1,000 training tokens and epoch, and epochs, for the estimate. */
    usdPerThousandTokens: number;
    epochs: number;
    /** Where the machine's time is billed instead of tokens; else null. */
    byHour: TrainingPriceByHour | null;
  };

  /** US dollars an hour for keeping a trained model of this base. */
  storageUsdPerHour(baseModel: string): number;

  /**
   * Starts the job, or adopts the one this run started before. Idempotent: looks for `jobName` first; a job
   * of that name with our tags is adopted; one without is a `Conflict`; on a conflict or a lost reply it
   * looks again. Never starts a second job for one `idempotencyToken`, adopts none that was started from
   * another request, and sends no create once `isCurrent` says that another attempt may be at work.
   * Throws `Obstacle` where quota, capacity or a permission is missing.
   */
  submit(request: TrainingJobRequest, isCurrent?: () => boolean): Promise<TrainingJobReference>;

  /** Finds a job by its name; null when there is none. */
  find(jobName: string): Promise<TrainingJobReference | null>;

  describe(job: TrainingJobReference): Promise<TrainingJobDescription>;

  /** Asks the job to stop. Succeeds when it has ended already or never existed. */
  cancel(jobName: string): Promise<void>;

  /** Deletes the trained model. Succeeds when it is gone already or never existed. */
  deleteModel(modelName: string): Promise<void>;

  /** Whether the trained model of that name exists and is ours. */
  hasModel(modelName: string): Promise<boolean>;

  /**
   * One page of what carries Anneal's tags: jobs that have not ended, then trained models; `page` is the last
   * one's `next`.
   */
  listOwned(page: string | null): Promise<OwnedPage>;
}
