import { PermanentFailure } from '../../../domain/failures.js';
import type { FileAnswer, FileMeasurement, GoldenPrompt, ParityReference } from '../../../domain/parity.js';
import {
  type LlamaEngine,
  type LoadedModel,
  type ModelToLoad,
  throwIfWithdrawn,
} from '../../inference/llama-cpp/engine.js';

/** The context is not stretched to its last token by the longest prompt. */
const spareTokens = 64;

/**
 * Puts every golden prompt to a file, and the trained model's answer after it. A file (and an adapter on it) that cannot be loaded or
 * does not take a prompt is a finding, not an error.
 */
export async function askFile(
  engine: LlamaEngine,
  file: Pick<ModelToLoad, 'path' | 'adapterPath'>,
  { prompts, answerTokens }: { readonly prompts: readonly GoldenPrompt[]; readonly answerTokens: number },
  reference: ParityReference,
  signal: AbortSignal,
): Promise<Pick<FileMeasurement, 'problem' | 'answers'>> {
  const longest = Math.max(...reference.answers.map((answer) => answer.promptTokens.length));
  let loaded: LoadedModel;
  try {
    loaded = await engine.load({
      path: file.path,
      adapterPath: file.adapterPath,
      contextTokens: longest + answerTokens + spareTokens,
      threads: 1,
    });
  } catch (error) {
    throwIfWithdrawn(signal);
    return { problem: `llama.cpp does not load it: ${reasonOf(error)}`, answers: [] };
  }
  try {
    const answers: FileAnswer[] = [];
    for (const [index, prompt] of prompts.entries()) {
      const expected = reference.answers[index];
      if (expected) answers.push(await askOne(loaded, prompt, expected, answerTokens, signal));
    }
    return { problem: null, answers };
  } catch (error) {
    if (!(error instanceof PermanentFailure)) throw error;
    return { problem: reasonOf(error), answers: [] };
  } finally {
    await loaded.dispose();
  }
}

async function askOne(
  loaded: LoadedModel,
  prompt: GoldenPrompt,
  expected: ParityReference['answers'][number],
  answerTokens: number,
  signal: AbortSignal,
): Promise<FileAnswer> {
  const followed = await loaded.follow(prompt, expected.answerTokens, signal);
  const isSame = expected.answerTokens.every((token, place) => followed.chosenTokens[place] === token);
  const { promptTokens, chosenTokens, logLikelihood, certainText } = followed;
  // Where every choice is the same, so is the answer; else it goes a way of its own.
  const text = isSame
    ? followed.text
    : (await loaded.answer({ ...prompt, maxTokens: answerTokens, temperature: 0 }, signal)).text;
  return { id: prompt.id, promptTokens, chosenTokens, logLikelihood, text, certainText };
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/^ProviderRejected: /, '');
}
