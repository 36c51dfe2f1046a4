import { createHash } from 'node:crypto';
import type { TrainingJobProgress } from './progress.js';
import type { TrainingJobRecord } from './records.js';

/**
 * What a job that is only simulated says of itself and leaves behind: a course of losses that nothing was learned by,
 * and an adapter without a single tensor. Both say that they are simulated.
 */
export function simulatedMetrics(
  job: TrainingJobRecord,
  { trainedShare }: Pick<TrainingJobProgress, 'trainedShare'>,
): Readonly<Record<string, number>> {
  const step = Math.floor(trainedShare * job.steps);
  if (step === 0) return {};
  const epochs = Number(job.request.HyperParameters?.epochCount ?? 1);
  return {
    step,
    steps: job.steps,
    epoch: (step / job.steps) * epochs,
    trainingLoss: simulatedLoss(step, job.steps),
    ...(step === job.steps && { validationLoss: simulatedLoss(step, job.steps) * 1.1 }),
  };
}

function simulatedLoss(step: number, steps: number): number {
  return 3 * Math.exp((-2 * step) / steps);
}

/** A finished job's `model.tar.gz`; of one that was stopped its events alone. */
export function simulatedFiles(
  job: TrainingJobRecord,
  progress: TrainingJobProgress,
): ReadonlyMap<string, Uint8Array> {
  const note = 'Simulated by the local cloud: nothing was trained, and the adapter is empty.\n';
  const isCompleted = progress.status === 'Completed';
  const weights = emptySafetensors();
  const adapterSha256 = createHash('sha256').update(weights).digest('hex');
  const files = new Map<string, Uint8Array>([
    ['SIMULATED.txt', Buffer.from(note)],
    ['events.jsonl', Buffer.from(events(job, progress, isCompleted ? adapterSha256 : null))],
  ]);
  if (!isCompleted) return files;
  const json = (value: object) => Buffer.from(`${JSON.stringify(value)}\n`);
  files.set('adapter/adapter_model.safetensors', weights);
  files.set('adapter/adapter_config.json', json({ simulated: true, peft_type: 'LORA' }));
  files.set('adapter/base_model.json', json({ fingerprint: 'simulated' }));
  return files;
}

/** The length of its header in 8 bytes, little endian, then the header. */
function emptySafetensors(): Buffer {
  const header = Buffer.from(JSON.stringify({ __metadata__: { simulated: 'true' } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header]);
}

function events(job: TrainingJobRecord, progress: TrainingJobProgress, adapterSha256: string | null): string {
  const at = new Date(progress.machineAt ?? job.createdAt).toISOString();
  const end = new Date(progress.endedAt ?? job.createdAt).toISOString();
  const { validationLoss, ...step } = simulatedMetrics(job, progress);
  const status = adapterSha256 === null ? 'stopped' : 'completed';
  const lines = [
    { event: 'start', steps: job.steps, resumedFromStep: 0, device: 'simulated', at },
    ...(step.step === undefined ? [] : [{ event: 'step', ...step, at: end }]),
    ...(validationLoss === undefined
      ? []
      : [{ event: 'validation', step: step.step, validationLoss, at: end }]),
    { event: 'end', status, message: null, adapterSha256, at: end },
  ];
  return `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
}

/** Why a simulated job cannot train on a file; null when it can. */
export function findDataProblem(text: string, uri: string): string | null {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) return `${uri} has no records`;
  for (const [index, line] of lines.entries()) {
    try {
      const { messages } = JSON.parse(line) as { messages?: unknown };
      if (!Array.isArray(messages) || messages.length < 2) return `${uri}, line ${index + 1} has no messages`;
    } catch (error) {
      return `${uri}, line ${index + 1} is not JSON: ${(error as Error).message}`;
    }
  }
  return null;
}
