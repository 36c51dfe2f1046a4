import type { JsonObject } from '../../../domain/json.js';
import { refuseTheImpossible, toMessages } from '../chat-prompt.js';
import type { InferenceClient, ModelAnswer, ModelQuestion } from '../client.js';
import { callServer, readLines, type ServerCall } from '../http.js';
import { throwIfWithdrawn } from '../llama-cpp/engine.js';
import { startStopwatch } from '../speed.js';

/** One model behind an OpenAI-compatible interface. */
export interface Endpoint {
  /** For people. */
  readonly server: string;
  /** The base address, as OpenAI's own clients take it, mostly with `/v1` at its end. */
  readonly url: string;
  /** As the server calls it. */
  readonly model: string;
  readonly apiKey?: string | null;
  /** Fields of the request that only this kind of server knows. */
  readonly more?: JsonObject;
  /** Called once the question is answered, or is not going to be. */
  release?(): Promise<void>;
}

export interface OpenAiCompatibleOptions {
  /** As run specs name the target. */
  readonly name: string;
  /**
   * Where a question goes. Throws `PermanentFailure('ProviderRejected')` for a model that does not exist, is not the
   * one it is taken for, or cannot take the question; any other error to be retried.
   */
  find(question: ModelQuestion, signal?: AbortSignal): Promise<Endpoint>;
}

/** Asks by `/chat/completions`, streamed. */
export function createOpenAiCompatibleClient({ name, find }: OpenAiCompatibleOptions): InferenceClient {
  return {
    name,
    async ask(question, signal) {
      throwIfWithdrawn(signal);
      refuseTheImpossible(question);
      const endpoint = await find(question, signal);
      return ask(endpoint, question, signal).finally(() => endpoint.release?.());
    },
  };
}

async function ask(
  { server, url, model, apiKey, more }: Endpoint,
  question: ModelQuestion,
  signal: AbortSignal | undefined,
): Promise<ModelAnswer> {
  const call: ServerCall = {
    server,
    url: `${url}/chat/completions`,
    method: 'POST',
    body: { ...toRequest(question), model, ...more },
    apiKey,
    signal,
  };
  const stopwatch = startStopwatch();
  const response = await callServer(call);
  if (response === null) throw new Error(`${server} at ${url} has no /chat/completions or no ${model}`);
  return collect(call, response, stopwatch);
}

function toRequest(question: ModelQuestion) {
  const { maxTokens, temperature, answerSchema } = question;
  return {
    messages: toMessages(question),
    max_tokens: maxTokens,
    temperature,
    stream: true,
    stream_options: { include_usage: true },
    ...(answerSchema !== undefined && {
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'answer', strict: true, schema: answerSchema },
      },
    }),
  };
}

interface Chunk {
  readonly error?: { readonly message?: string };
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
  /** Of llama-server. */
  readonly timings?: { readonly prompt_ms?: number; readonly predicted_ms?: number };
}

async function collect(
  call: ServerCall,
  response: Response,
  stopwatch: ReturnType<typeof startStopwatch>,
): Promise<ModelAnswer> {
  let text = '';
  let finishReason: string | null = null;
  let usage: Chunk['usage'] = null;
  let timings: Chunk['timings'];
  for await (const line of readLines(call, response)) {
    const data = line.startsWith('data:') ? line.slice('data:'.length).trim() : '';
    if (data === '' || data === '[DONE]') continue;
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error) throw new Error(`${call.server} broke off its answer: ${chunk.error.message}`);
    const [choice] = chunk.choices ?? [];
    const piece = choice?.delta?.content ?? '';
    if (piece !== '') stopwatch.note();
    text += piece;
    finishReason = choice?.finish_reason ?? finishReason;
    usage = chunk.usage ?? usage;
    timings = chunk.timings ?? timings;
  }
  if (finishReason === null) throw new Error(`${call.server} broke off its answer without a word`);
  const outputTokens = usage?.completion_tokens ?? 0;
  const { prompt_ms: readingMs, predicted_ms: writingMs } = timings ?? {};
  return {
    text,
    stopReason: finishReason === 'length' ? 'max_tokens' : 'end_turn',
    inputTokens: usage?.prompt_tokens ?? 0,
    outputTokens,
    latencyMs:
      readingMs === undefined || writingMs === undefined ? stopwatch.elapsedMs() : readingMs + writingMs,
    ...stopwatch.measure(outputTokens),
  };
}
