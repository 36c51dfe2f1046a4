import type { ChatFormat } from '../../deployment/gguf/gguf-header.js';
import { type DeploymentRecord, type DeploymentRecords, openServed } from '../../deployment/gguf/records.js';
import type { ModelHost } from '../../deployment/gguf/target.js';
import { tagOf } from '../../deployment/ollama/host.js';
import { type OllamaSettings, targetName } from '../../deployment/ollama/settings.js';
import { refuseControlTexts, refuseTheImpossible, renderPrompt } from '../chat-prompt.js';
import type { InferenceClient, ModelQuestion } from '../client.js';
import { throwIfWithdrawn } from '../llama-cpp/engine.js';
import { refused } from '../refused.js';
import { startStopwatch } from '../speed.js';
import { type OllamaApi, type OllamaPiece, requireOllama } from './api.js';

export interface OllamaInferenceOptions {
  readonly records: DeploymentRecords<OllamaSettings>;
  readonly host: Pick<ModelHost<OllamaSettings>, 'look'>;
  /** Null where none is configured. */
  readonly api: OllamaApi | null;
}

/**
 * Asks deployments of the target `ollama`. Each question first makes sure that the tag still serves the deployed
 * file. The prompt is rendered here, by the chat template of the file, and Ollama takes it as it is: the tokens are
 * those of training, whichever template Ollama has chosen.
 */
export function createOllamaInferenceClient({ records, host, api }: OllamaInferenceOptions): InferenceClient {
  return {
    name: targetName,

    async ask(question, signal) {
      throwIfWithdrawn(signal);
      refuseTheImpossible(question);
      const ollama = requireOllama(api);
      const { modelId } = question;
      const record = await openServed(records, targetName, modelId);
      if (record === null) throw refused(modelId, 'there is no such deployment');
      const state = await host.look(record);
      if (state.phase === 'unusable') throw refused(modelId, state.reason);
      if (state.phase !== 'ready')
        throw new Error(`${modelId} is not ready (${state.doing}); ask again later`);
      const body = toRequest(record, question);
      const stopwatch = startStopwatch();
      const pieces = await generate(ollama, body, modelId, signal);
      const said: string[] = [];
      let last: OllamaPiece | null = null;
      for await (const piece of pieces) {
        last = piece;
        if (piece.response === '') continue;
        stopwatch.note();
        said.push(piece.response);
      }
      if (last?.done) {
        const summary = summarize(last);
        return { text: said.join(''), ...summary, ...stopwatch.measure(summary.outputTokens) };
      }
      const repetition = {
        ...summarizeRepetition(said, stopwatch.elapsedMs()),
        ...stopwatch.measure(said.length),
      };
      const inputTokens = await countPrompt(await generate(ollama, shortest(body), modelId, signal));
      return { text: said.join(''), inputTokens, ...repetition };
    },
  };
}

type OllamaRequest = ReturnType<typeof toRequest>;

async function generate(
  ollama: OllamaApi,
  body: OllamaRequest,
  modelId: string,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<OllamaPiece>> {
  const pieces = await ollama.generate(body, signal);
  if (pieces === null) throw new Error(`${modelId} was taken away at this moment; ask again`);
  return pieces;
}

/** The same prompt with an answer of one token, too short to be broken off. */
function shortest(body: OllamaRequest): OllamaRequest {
  return { ...body, options: { ...body.options, num_predict: 1 } };
}

/** Ollama says how long a prompt is with the last piece of its answer. */
async function countPrompt(pieces: AsyncIterable<OllamaPiece>): Promise<number> {
  for await (const { done, prompt_eval_count } of pieces) {
    if (done && prompt_eval_count !== undefined) return prompt_eval_count;
  }
  throw new Error('Ollama did not say how long the prompt is');
}

function toRequest(record: DeploymentRecord<OllamaSettings>, question: ModelQuestion) {
  const { contextTokens, threads, keepAliveMinutes, stop } = record.request.settings;
  const { maxTokens, temperature, answerSchema } = question;
  const chat = record.chat as ChatFormat;
  refuseControlTexts(question, (text) => chat.controlTexts.find((control) => text.includes(control)));
  const prompt = renderPrompt(chat, question);
  const { beginText, addsBegin } = chat;
  return {
    model: tagOf(record),
    // Ollama puts the begin token before a prompt where the file says so; two of them are not what training saw.
    prompt: addsBegin && prompt.startsWith(beginText) ? prompt.slice(beginText.length) : prompt,
    raw: true,
    stream: true,
    // What does not fit is refused instead of cut.
    shift: false,
    truncate: false,
    keep_alive: `${keepAliveMinutes}m`,
    ...(answerSchema !== undefined && { format: answerSchema }),
    options: {
      temperature,
      num_predict: maxTokens,
      num_ctx: contextTokens,
      // Ollama's own default changes even the most likely token.
      repeat_penalty: 1,
      ...(threads !== undefined && { num_thread: threads }),
      ...(stop !== undefined && { stop }),
    },
  };
}

/** By Ollama's own clock: its line and the loading of the model are left out. */
function summarize(last: OllamaPiece) {
  const nanoseconds = (last.prompt_eval_duration ?? 0) + (last.eval_duration ?? 0);
  return {
    stopReason: last.done_reason === 'length' ? 'max_tokens' : 'end_turn',
    inputTokens: last.prompt_eval_count ?? 0,
    outputTokens: last.eval_count ?? 0,
    latencyMs: nanoseconds / 1e6,
  };
}

/**
 * Equal pieces after which Ollama ends an answer without its last piece; see `Completion` in its llm/server.go, where
 * an answer that begins with white space counts its first piece as a repetition already.
 */
const equalPieces = 31;

/** An answer that Ollama has ended because the model repeats itself is the model's answer; any other is torn. */
function summarizeRepetition(said: readonly string[], elapsedMs: number) {
  const trimmed = said.map((piece) => piece.trim());
  const isBlank = trimmed.every((piece) => piece === '');
  const end = trimmed.slice(isBlank ? 1 - equalPieces : -equalPieces);
  if (end.length < (isBlank ? equalPieces - 1 : equalPieces) || new Set(end).size > 1) {
    throw new Error('Ollama broke off its answer without a word');
  }
  return { stopReason: 'repetition', outputTokens: said.length, latencyMs: elapsedMs };
}
