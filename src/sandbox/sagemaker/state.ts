import type { SandboxEvent } from '../events.js';
import type { TrainingJobRecord } from './records.js';

export function applyTrainingJobEvent(jobs: Map<string, TrainingJobRecord>, event: SandboxEvent): void {
  if (event.type === 'trainingJob.created') {
    jobs.set(event.job.arn, structuredClone(event.job));
    return;
  }
  if (!event.type.startsWith('trainingJob.')) return;
  const job = 'arn' in event ? jobs.get(event.arn) : undefined;
  if (!job) return;
  if (event.type === 'trainingJob.doomed') job.doom = event.doom;
  if (event.type === 'trainingJob.interrupted') job.interruption = event.interruption;
  if (event.type === 'trainingJob.stopRequested') job.stopRequestedAt = event.at;
  if (event.type === 'trainingJob.ended') job.ended = event.ended;
  if (event.type === 'trainingJob.settled') {
    const { at, billableSeconds, hasArtifact } = event;
    job.settled = { at, billableSeconds, hasArtifact };
  }
}
