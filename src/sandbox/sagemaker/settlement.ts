import type { World } from '../world.js';
import { type TrainingJobProgress, trainingJobProgress } from './progress.js';
import type { TrainingJobRecord } from './records.js';
import { simulatedFiles } from './simulation.js';
import { storeArtifact } from './storage.js';

/** What a machine costs while it can be taken away, of its usual price; see assumption 41. */
const spotShare = 0.3;

/** Ends the jobs whose time has come, one call at a time: writes their results and prices their machine's time. */
export class TrainingJobSettlement {
  #line: Promise<void> = Promise.resolve();

  constructor(private readonly world: World) {}

  /** Called before every request, so that nobody can see a job that has ended and was not settled. */
  settle(): Promise<void> {
    const isDue = [...this.world.state.trainingJobs.values()].some((job) => this.#endOf(job) !== null);
    if (!isDue) return this.#line;
    this.#line = this.#line.catch(() => {}).then(() => this.#settleAll());
    return this.#line;
  }

  #endOf(job: TrainingJobRecord): TrainingJobProgress | null {
    if (job.settled) return null;
    const progress = trainingJobProgress(job, this.world.now());
    return progress.endedAt === null ? null : progress;
  }

  async #settleAll(): Promise<void> {
    for (const job of this.world.state.trainingJobs.values()) {
      const progress = this.#endOf(job);
      if (progress) await this.#settleOne(job, progress, progress.endedAt ?? this.world.now());
    }
  }

  async #settleOne(job: TrainingJobRecord, progress: TrainingJobProgress, at: number): Promise<void> {
    const hasTrained = progress.segments.some(({ status }) => status === 'Training');
    const isSimulated = job.plan.trainingMs !== null;
    const hasArtifact = isSimulated
      ? progress.status !== 'Failed' &&
        hasTrained &&
        (await storeArtifact(this.world, job, simulatedFiles(job, progress)))
      : progress.status !== 'Failed' && (job.ended?.hasArtifact ?? false);
    const share = job.request.EnableManagedSpotTraining ? spotShare : 1;
    const billableSeconds = Math.ceil((progress.onMachineMs / 1000) * share);
    const { InstanceType = '', InstanceCount = 1 } = job.request.ResourceConfig ?? {};
    const price = this.world.prices.trainingInstancePerHour(InstanceType) ?? 0;
    this.world.record({
      type: 'trainingJob.settled',
      at,
      arn: job.arn,
      status: progress.status,
      usd: (billableSeconds / 3600) * price * InstanceCount,
      billableSeconds,
      hasArtifact,
      note: progress.failureReason ?? progress.secondary,
    });
  }
}
