import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { EpochLoss } from '../bedrock/records.js';
import { trainModel } from '../learner/index.js';
import { readDataset, trainingLimits, UnusableDataset, validationLimits } from './dataset.js';

/** What one training process is told. */
export interface TrainingTask {
  readonly trainingFile: string;
  readonly trainingUri: string;
  readonly validationFile: string | null;
  readonly validationUri: string | null;
  readonly modelFile: string;
  readonly epochs: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** What it tells while it works, in this order; `finished` also after a dataset that it cannot use. */
export type TrainingMessage =
  | {
      readonly type: 'checked';
      readonly failure: string | null;
      readonly records: number;
      readonly tokens: number;
    }
  | { readonly type: 'trained'; readonly digest: string; readonly metrics: readonly EpochLoss[] }
  | { readonly type: 'finished' };

// A process of its own: learning takes all of one core for seconds, and the sandbox must keep answering.
process.on('disconnect', () => process.exit(1));
process.on('message', (task: TrainingTask) => {
  run(task).then(
    () => send({ type: 'finished' }),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function run(task: TrainingTask): Promise<void> {
  const data = readBoth(task);
  if (data instanceof UnusableDataset) {
    return send({ type: 'checked', failure: data.message.slice(0, 2048), records: 0, tokens: 0 });
  }
  const { training, validation } = data;
  await send({ type: 'checked', failure: null, records: training.examples.length, tokens: training.tokens });
  const model = train({
    training: training.examples,
    validation: validation?.examples ?? [],
    epochs: task.epochs,
    learningRate: task.learningRate,
    seed: task.seed,
  });
  writeFileSync(`${task.modelFile}.${process.pid}`, model.serialized);
  renameSync(`${task.modelFile}.${process.pid}`, task.modelFile);
  const digest = createHash('sha256').update(model.serialized).digest('hex');
  await send({ type: 'trained', digest, metrics: model.metrics });
}

type Training = Parameters<typeof trainModel>[0];
type Trained = Pick<ReturnType<typeof trainModel>, 'serialized' | 'metrics'>;

const rememberedModels = 4;
const remembered = new Map<string, Trained>();

/** The same training gives the same model, so a cloud that is asked for it again need not learn anew. */
function train(training: Training): Trained {
  const key = createHash('sha256').update(JSON.stringify(training)).digest('hex');
  const known = remembered.get(key);
  if (known) return known;
  const { serialized, metrics } = trainModel(training);
  const [oldest] = remembered.keys();
  if (remembered.size >= rememberedModels && oldest !== undefined) remembered.delete(oldest);
  remembered.set(key, { serialized, metrics });
  return { serialized, metrics };
}

function readBoth(task: TrainingTask) {
  try {
    const read = (file: string) => readFileSync(file, 'utf8');
    const training = readDataset(read(task.trainingFile), task.trainingUri, trainingLimits);
    const validation =
      task.validationFile && task.validationUri
        ? readDataset(read(task.validationFile), task.validationUri, validationLimits)
        : null;
    return { training, validation };
  } catch (error) {
    if (error instanceof UnusableDataset) return error;
    throw error;
  }
}

function send(message: TrainingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error ? reject(error) : resolve()));
  });
}
