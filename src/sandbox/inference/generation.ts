import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { canonicalJson } from '../../domain/json.js';
import type { World } from '../world.js';
import { joinTurns } from './conversation.js';
import type { ServedModels } from './served-models.js';

export interface Question {
  readonly modelId: string;
  readonly system: string | null;
  /** User and assistant in turn, the user's last. */
  readonly turns: readonly string[];
  readonly temperature: number;
  readonly maxTokens: number;
  readonly stopSequences: readonly string[];
}

export interface Answer {
  readonly text: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly stopReason: 'end_turn' | 'max_tokens' | 'stop_sequence';
  readonly latencyMs: number;
}

export const standardTemperature = 0.7;
export const standardMaxTokens = 1024;

/**
 * Answers one question and meters it. The sampling's seed is a hash of model and question, so that a run
 * can be repeated: the same question to the same model has the same answer, at any temperature.
 */
export async function answer(world: World, models: ServedModels, question: Question): Promise<Answer> {
  const startedAtMs = performance.now();
  models.find(question.modelId);
  await nextTurn();
  const served = models.find(question.modelId);
  const { modelId: _, ...asked } = question;
  const generated = served.model.generate({
    system: question.system,
    prompt: joinTurns(question.turns),
    temperature: question.temperature,
    maxTokens: question.maxTokens,
    seed: createHash('sha256').update(served.digest).update(canonicalJson(asked)).digest().readUInt32BE(0),
  });
  const cut = cutAt(generated.text, question.stopSequences);
  const { inputTokens, outputTokens } = generated;
  world.record({
    type: 'invoked',
    at: world.now(),
    resource: served.resource,
    baseModel: served.baseModel,
    inputTokens,
    outputTokens,
    usd: served.isBilledByToken ? world.prices.request(served.baseModel, inputTokens, outputTokens) : 0,
  });
  return {
    text: cut ?? generated.text,
    inputTokens,
    outputTokens,
    stopReason: cut === null ? generated.stopReason : 'stop_sequence',
    latencyMs: Math.max(1, Math.round(performance.now() - startedAtMs)),
  };
}

let lastTurn: Promise<void> = Promise.resolve();

/** One generation in each round of the event loop: it holds the process, and others wait to be served. */
function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => setImmediate());
  return lastTurn;
}

function cutAt(text: string, stopSequences: readonly string[]): string | null {
  const positions = stopSequences.map((stop) => text.indexOf(stop)).filter((position) => position >= 0);
  return positions.length > 0 ? text.slice(0, Math.min(...positions)) : null;
}
