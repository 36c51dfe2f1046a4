import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type LossCurve, type LossPoint, thinOut } from '../../../domain/loss-curve.js';
import { formatElapsed } from '../../../domain/waiting.js';

/** One line of `events.jsonl`, as the trainer writes it; fields that nobody here reads are left out. */
export type TrainerEvent =
  | {
      readonly event: 'start';
      readonly steps: number;
      readonly device: string;
      /** Jobs of earlier versions name none. */
      readonly engine?: string;
      readonly at: string;
    }
  | {
      readonly event: 'step';
      readonly step: number;
      readonly steps: number;
      readonly epoch: number;
      readonly trainingLoss: number | null;
      readonly tokensPerSecond: number | null;
      readonly etaSeconds: number | null;
    }
  | { readonly event: 'validation'; readonly step: number; readonly validationLoss: number | null }
  | { readonly event: 'earlyStop'; readonly step: number; readonly steps: number; readonly reason: string }
  | { readonly event: 'best'; readonly step: number; readonly validationLoss: number };

/** What the events so far add up to. */
export interface TrainingProgress {
  /** ISO-8601; when the first trainer began. */
  readonly startedAt: string | null;
  readonly device: string | null;
  /** The library that trains, for instance `torch`. */
  readonly engine: string | null;
  readonly step: Extract<TrainerEvent, { event: 'step' }> | null;
  readonly validationLoss: number | null;
  /** Why it ended before its last step; null where it did not. */
  readonly earlyStop: Extract<TrainerEvent, { event: 'earlyStop' }> | null;
  /** The step of which the adapter was kept, where that is not simply the last. */
  readonly best: Extract<TrainerEvent, { event: 'best' }> | null;
  /** In order of their steps; what a restarted trainer did again stands there once. */
  readonly training: readonly LossPoint[];
  readonly validation: readonly LossPoint[];
}

const nothingYet: TrainingProgress = {
  startedAt: null,
  device: null,
  engine: null,
  step: null,
  validationLoss: null,
  earlyStop: null,
  best: null,
  training: [],
  validation: [],
};

/** A few kilobytes in the history of a run. */
const curvePoints = 60;

/** Reads `events.jsonl`. A line that a killed trainer has torn is passed over; no file is no events. */
export async function readProgress(jobPath: string): Promise<TrainingProgress> {
  let progress = nothingYet;
  const training = new Map<number, number>();
  const validation = new Map<number, number>();
  const file = createReadStream(join(jobPath, 'events.jsonl'));
  try {
    for await (const line of createInterface({ input: file })) {
      const event = parseEvent(line);
      if (!event) continue;
      progress = add(progress, event);
      if (event.event === 'step' && isNumber(event.trainingLoss))
        training.set(event.step, event.trainingLoss);
      if (event.event === 'validation' && isNumber(event.validationLoss))
        validation.set(event.step, event.validationLoss);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const inOrder = (points: ReadonlyMap<number, number>) => [...points].sort(([a], [b]) => a - b);
  return { ...progress, training: inOrder(training), validation: inOrder(validation) };
}

/** For the report: as many points as a picture shows. */
export function lossCurveOf(progress: TrainingProgress): LossCurve {
  const { training, validation, earlyStop, best } = progress;
  const engine = describeEngine(progress);
  return {
    ...(engine !== null && { engine }),
    training: thinOut(training, curvePoints),
    validation: thinOut(validation, curvePoints),
    earlyStop:
      earlyStop &&
      `stopped early at step ${earlyStop.step} of ${earlyStop.steps}, because ${earlyStop.reason}; the adapter of step ${best?.step ?? '?'} is kept`,
  };
}

/** For people: `torch on cuda`; null until the trainer has said so. */
export function describeEngine({ engine, device }: TrainingProgress): string | null {
  return engine === null || device === null ? null : `${engine} on ${device}`;
}

/** For people: `step 42 of 120, epoch 1.4 of 4, loss 0.83, 310 tokens/s, 4 min left`. */
export function describeStep(
  { step, steps, epoch, trainingLoss, tokensPerSecond, etaSeconds }: NonNullable<TrainingProgress['step']>,
  epochs: string,
): string {
  const parts = [
    `step ${step} of ${steps}`,
    `epoch ${Number(epoch.toFixed(1))} of ${epochs}`,
    isNumber(trainingLoss) && `loss ${trainingLoss.toPrecision(2)}`,
    isNumber(tokensPerSecond) && `${Math.round(tokensPerSecond)} tokens/s`,
    isNumber(etaSeconds) && `${formatElapsed(etaSeconds * 1000)} left`,
  ];
  return parts.filter((part) => part !== false).join(', ');
}

function add(progress: TrainingProgress, event: TrainerEvent): TrainingProgress {
  switch (event.event) {
    case 'start':
      return {
        ...progress,
        startedAt: progress.startedAt ?? event.at,
        device: event.device,
        engine: event.engine ?? null,
      };
    case 'step':
      return { ...progress, step: event };
    case 'validation':
      return { ...progress, validationLoss: isNumber(event.validationLoss) ? event.validationLoss : null };
    case 'earlyStop':
      return { ...progress, earlyStop: event };
    case 'best':
      return { ...progress, best: event, validationLoss: event.validationLoss };
    default:
      return progress;
  }
}

function parseEvent(line: string): TrainerEvent | null {
  try {
    return JSON.parse(line) as TrainerEvent;
  } catch {
    return null;
  }
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
