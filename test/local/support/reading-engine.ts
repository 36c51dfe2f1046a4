import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LlamaEngine, throwIfWithdrawn } from '../../../src/activities/inference/llama-cpp/engine.js';
import { nameOf } from './tiny-gguf.js';

/** An engine without weights: a model answers with its file's name and what it was asked, a word at a time. */
export interface ReadingEngine extends LlamaEngine {
  /** `load <name>`, `ask <question>`, `answered <question>`, `dispose <name>`, in order. */
  readonly events: string[];
}

/** The question that is answered only by its withdrawal. */
export const endless = 'for ever?';

export function createReadingEngine(millisecondsPerWord = 0): ReadingEngine {
  const events: string[] = [];
  return {
    events,
    findMissing: () => null,
    load: async ({ path }) => {
      const name = nameOf(await readFile(path));
      events.push(`load ${name}`);
      return {
        answer: async ({ system, turns, maxTokens }, signal) => {
          const question = turns.at(-1)?.text ?? '';
          events.push(`ask ${question}`);
          if (question === endless) await sleep(600_000, null, { signal });
          const words = `${name} was asked: ${question}`.split(' ');
          const said: string[] = [];
          for (const word of words.slice(0, maxTokens)) {
            if (millisecondsPerWord > 0) await sleep(millisecondsPerWord);
            throwIfWithdrawn(signal);
            said.push(word);
          }
          events.push(`answered ${question}`);
          return {
            text: said.join(' '),
            stopReason: said.length < words.length ? 'max_tokens' : 'end_turn',
            inputTokens: [system ?? '', ...turns.map(({ text }) => text)].join(' ').split(' ').length,
            outputTokens: said.length,
            timeToFirstTokenMs: null,
            tokensPerSecond: null,
          };
        },
        // It reads as it is told to.
        follow: async ({ turns }, answer) => ({
          promptTokens: (turns.at(-1)?.text ?? '').split(' ').map((word) => word.length),
          chosenTokens: answer,
          logLikelihood: 0,
          text: answer.join(' '),
          certainText: answer.join(' '),
        }),
        dispose: async () => {
          events.push(`dispose ${name}`);
        },
      };
    },
  };
}
