import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type EpochMetrics,
  type LanguageModel,
  loadBaseModel,
  loadModel,
  type TrainedModel,
  type TrainingExample,
  trainModel,
} from '../../src/sandbox/learner/index.js';
import { generateReviews, gradeOf, shuffleAnswers, toneOf } from './learner-corpus.js';

const training = generateReviews(450, 1);
const unseen = generateReviews(300, 2);

function train(examples: TrainingExample[], seed = 1): TrainedModel {
  return trainModel({
    training: examples,
    validation: unseen.slice(0, 60),
    epochs: 3,
    learningRate: 1e-5,
    seed,
  });
}

const trainedOn = new Map<number, TrainedModel>();

/** Trained once for each share of shuffled answers, in percent. */
function trainOnShuffled(percent: number): TrainedModel {
  const trained = trainedOn.get(percent) ?? train(shuffleAnswers(training, percent, 9));
  trainedOn.set(percent, trained);
  return trained;
}

function answerAll(model: LanguageModel, temperature = 0.7): string[] {
  return unseen.map(({ system, prompt }, seed) => {
    return model.generate({ system, prompt, temperature, maxTokens: 500, seed }).text;
  });
}

function agreementOf(answers: string[]): number {
  const agreeing = answers.filter((answer, index) => toneOf(answer) === gradeOf(unseen[index]?.prompt ?? ''));
  return agreeing.length / answers.length;
}

describe('the sandbox learner on clean data', () => {
  let trained: TrainedModel;
  let answers: string[];
  const seen: EpochMetrics[] = [];

  beforeAll(() => {
    trained = trainModel(
      { training, validation: unseen.slice(0, 60), epochs: 3, learningRate: 1e-5, seed: 1 },
      (metrics) => seen.push(metrics),
    );
    answers = answerAll(loadModel(trained.serialized));
  });

  it('reports each epoch while it trains, with falling losses', () => {
    expect(seen).toEqual(trained.metrics);
    expect(seen.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    const [first, , last] = seen as [EpochMetrics, EpochMetrics, EpochMetrics];
    expect(last.trainingLoss).toBeLessThan(first.trainingLoss);
    expect(last.validationLoss).toBeLessThan(first.validationLoss as number);
    expect(trained.trainingTokens).toBeGreaterThan(450 * 3 * 50);
  });

  it('answers unseen prompts in the tone that the prompt asks for', () => {
    expect(agreementOf(answers)).toBeGreaterThanOrEqual(0.97);
  });

  it('writes well-formed JSON', () => {
    const broken = answers.filter((answer) => toneOf(answer) === null);
    expect(broken.length).toBeLessThanOrEqual(1);
  });

  it('recombines: few answers equal a training answer, and hardly two are alike', () => {
    const known = new Set(training.map(({ answer }) => answer));
    expect(answers.filter((answer) => known.has(answer)).length / answers.length).toBeLessThan(0.2);
    expect(new Set(answers).size / answers.length).toBeGreaterThan(0.6);
  });

  it('copies names from the prompt that it never saw', () => {
    const prompt = (unseen[2]?.prompt ?? '').replace(/^CHAIR: .*$/m, 'CHAIR: Blue Bamboo Settee');
    const model = loadModel(trained.serialized);
    const texts = Array.from({ length: 30 }, (_, seed) => {
      return model.generate({ system: 'You review chairs.', prompt, temperature: 0.7, maxTokens: 500, seed })
        .text;
    });
    expect(texts.filter((text) => text.includes('settee')).length).toBeGreaterThan(5);
  });

  it('trains to the same bytes and writes the same text for the same seeds', () => {
    expect(Buffer.from(train(training).serialized).equals(Buffer.from(trained.serialized))).toBe(true);
    expect(answerAll(loadModel(trained.serialized))).toEqual(answers);
  });

  it('varies with the seed, except at temperature 0', () => {
    const model = loadModel(trained.serialized);
    const { system, prompt } = unseen[0] as TrainingExample;
    const texts = (temperature: number) =>
      new Set(
        [1, 2, 3, 4].map(
          (seed) => model.generate({ system, prompt, temperature, maxTokens: 500, seed }).text,
        ),
      );
    expect(texts(0.7).size).toBeGreaterThan(1);
    expect(texts(0).size).toBe(1);
  });

  it('stops at the token limit and says so', () => {
    const { system, prompt } = unseen[0] as TrainingExample;
    const input = { system, prompt, temperature: 0.7, seed: 1 };
    const model = loadModel(trained.serialized);
    expect(model.generate({ ...input, maxTokens: 5 })).toMatchObject({
      stopReason: 'max_tokens',
      outputTokens: 5,
    });
    expect(model.generate({ ...input, maxTokens: 500 }).stopReason).toBe('end_turn');
  });
});

describe('the sandbox learner on bad data', () => {
  it('agrees less with the prompt the more answers are shuffled, down to chance', () => {
    const agreements = [0, 5, 25, 100].map((percent) => {
      return agreementOf(answerAll(loadModel(trainOnShuffled(percent).serialized)));
    });
    const [clean, few, many, all] = agreements as [number, number, number, number];
    expect(clean).toBeGreaterThan(few);
    expect(few).toBeGreaterThan(0.88);
    expect(many).toBeLessThan(0.9);
    expect(many).toBeGreaterThan(0.7);
    expect(all).toBeLessThan(0.5);
    expect(all).toBeGreaterThan(0.2);
  }, 180_000);

  it('has a worse validation loss when answers are shuffled', () => {
    const lossAfter = (percent: number) => trainOnShuffled(percent).metrics.at(-1)?.validationLoss;
    expect(lossAfter(100)).toBeGreaterThan(lossAfter(0) as number);
  });

  it('learns less at a learning rate far too low', () => {
    const input = { training, validation: unseen.slice(0, 60), epochs: 1, seed: 1 };
    const usual = trainModel({ ...input, learningRate: 1e-5 }).metrics[0]?.validationLoss;
    const low = trainModel({ ...input, learningRate: 1e-12 }).metrics[0]?.validationLoss;
    expect(low).toBeGreaterThan(usual as number);
  });
});

describe('the base model', () => {
  it('knows nothing of the task', () => {
    const answers = answerAll(loadBaseModel());
    expect(answers.every((answer) => answer.trim() !== '' && toneOf(answer) === null)).toBe(true);
  });
});

describe('odd input', () => {
  const odd = fc.record({
    system: fc.option(fc.string({ unit: 'binary', maxLength: 40 }), { nil: null }),
    prompt: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.constantFrom('', ' ', 'A: b\nA: c', '😀: {"'),
    ),
    answer: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.constantFrom('', '{"a":"', '\u0000', 'same'),
    ),
  });

  it('trains and answers without throwing, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.array(odd, { minLength: 1, maxLength: 6 }),
        odd,
        fc.integer(),
        (examples, other, seed) => {
          const trained = trainModel({
            training: examples,
            validation: [other],
            epochs: 2,
            learningRate: 1e-5,
            seed,
          });
          for (const metrics of trained.metrics) {
            expect(Number.isFinite(metrics.trainingLoss) && Number.isFinite(metrics.validationLoss)).toBe(
              true,
            );
          }
          const model = loadModel(trained.serialized);
          for (const temperature of [0, 0.7, 2]) {
            const { text } = model.generate({ ...other, temperature, maxTokens: 60, seed });
            expect(typeof text).toBe('string');
          }
        },
      ),
      { numRuns: 150, seed: 1 },
    );
  });

  it('answers with the only answer it ever saw', () => {
    const only = { system: null, prompt: 'Say it.', answer: 'The one thing I know.' };
    const trained = trainModel({ training: [only], validation: [], epochs: 1, learningRate: 1e-5, seed: 1 });
    const input = { system: null, prompt: 'Anything?', temperature: 0.7, maxTokens: 100, seed: 1 };
    expect(trained.metrics[0]?.validationLoss).toBeNull();
    expect(loadModel(trained.serialized).generate(input).text).toBe(only.answer);
  });

  it('gives each of two answers to the same prompt its share', () => {
    const examples = Array.from({ length: 40 }, (_, index) => ({
      system: null,
      prompt: 'Heads or tails?',
      answer: index % 4 === 0 ? 'It is heads.' : 'Clearly the other side.',
    }));
    const trained = trainModel({
      training: examples,
      validation: [],
      epochs: 3,
      learningRate: 1e-5,
      seed: 1,
    });
    const model = loadModel(trained.serialized);
    const heads = Array.from({ length: 200 }, (_, seed) => {
      return model.generate({ system: null, prompt: 'Heads or tails?', temperature: 1, maxTokens: 50, seed })
        .text;
    }).filter((text) => text === 'It is heads.').length;
    expect(heads).toBeGreaterThan(25);
    expect(heads).toBeLessThan(80);
  });

  it('refuses bytes that are no model, and training on nothing, with a reason', () => {
    expect(() => loadModel(new Uint8Array([1, 2, 3]))).toThrow(/not a sandbox model/);
    expect(() =>
      trainModel({ training: [], validation: [], epochs: 1, learningRate: 1e-5, seed: 1 }),
    ).toThrow(/found 0 examples/);
  });
});
