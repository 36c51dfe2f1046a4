import type { Readable } from 'node:stream';
import { PermanentFailure } from '../../../domain/failures.js';
import { callServer, readLines, type ServerCall } from '../http.js';

/** A model as Ollama holds it. */
export interface OllamaModel {
  /** SHA-256 of the GGUF file that it serves. */
  readonly sha256: string | null;
  /** The same of its LoRA adapters. */
  readonly adapters: readonly string[];
  /** The text that came with it when it was created. */
  readonly license: string;
}

/** One piece of an answer; the last one has `done`. Durations are nanoseconds. */
export interface OllamaPiece {
  readonly response: string;
  readonly done: boolean;
  readonly done_reason?: string;
  readonly prompt_eval_count?: number;
  readonly prompt_eval_duration?: number;
  readonly eval_count?: number;
  readonly eval_duration?: number;
}

/** What is used of https://github.com/ollama/ollama/blob/v0.17.4/docs/api.md. Errors are those of `callServer`. */
export interface OllamaApi {
  readonly url: string;
  /** Null when there is no such model. */
  show(model: string): Promise<OllamaModel | null>;
  hasBlob(sha256: string): Promise<boolean>;
  /** Ollama refuses bytes with another hash. */
  pushBlob(sha256: string, body: Readable): Promise<void>;
  create(body: { readonly model: string; readonly [field: string]: unknown }): Promise<void>;
  /** Succeeds when there is none. */
  delete(model: string): Promise<void>;
  /** Null when there is no such model. Ends with the piece that says `done`, unless the model repeats itself. */
  generate(
    body: { readonly model: string; readonly [field: string]: unknown },
    signal?: AbortSignal,
  ): Promise<AsyncGenerator<OllamaPiece> | null>;
}

/** `url` is where `ollama serve` listens; the machine may be another one. */
export function createOllamaApi(url: string): OllamaApi {
  const base = url.replace(/\/+$/, '');
  const callOf = (path: string, more: Omit<ServerCall, 'server' | 'url'>): ServerCall => ({
    server: 'Ollama',
    url: `${base}${path}`,
    ...more,
  });
  const call = (path: string, more: Omit<ServerCall, 'server' | 'url'>) => callServer(callOf(path, more));
  return {
    url: base,

    async show(model) {
      const response = await call('/api/show', { method: 'POST', body: { model } });
      if (response === null) return null;
      const { modelfile = '', license = '' } = (await response.json()) as {
        modelfile?: string;
        license?: string;
      };
      const filesAfter = (word: string) =>
        [...modelfile.matchAll(new RegExp(`^${word} .*sha256-([0-9a-f]{64})\\s*$`, 'gm'))].map(
          ([, sha256]) => sha256 as string,
        );
      return { sha256: filesAfter('FROM')[0] ?? null, adapters: filesAfter('ADAPTER'), license };
    },

    hasBlob: async (sha256) => (await call(`/api/blobs/sha256:${sha256}`, { method: 'HEAD' })) !== null,

    async pushBlob(sha256, body) {
      await call(`/api/blobs/sha256:${sha256}`, { method: 'POST', body });
    },

    async create(body) {
      const response = await call('/api/create', { method: 'POST', body: { ...body, stream: false } });
      const said = (await response?.text()) ?? 'there is no /api/create';
      if (JSON.parse(said).status === 'success') return;
      throw new Error(`Ollama at ${base} did not create ${body.model}: ${said}`);
    },

    async delete(model) {
      await call('/api/delete', { method: 'DELETE', body: { model } });
    },

    async generate(body, signal) {
      const asked = callOf('/api/generate', { method: 'POST', body, signal });
      const response = await callServer(asked);
      return response && readPieces(asked, response);
    },
  };
}

async function* readPieces(call: ServerCall, response: Response): AsyncGenerator<OllamaPiece> {
  for await (const line of readLines(call, response)) {
    const piece = JSON.parse(line) as OllamaPiece & { readonly error?: string };
    if (piece.error !== undefined) throw new Error(`Ollama broke off its answer: ${piece.error}`);
    yield piece;
    if (piece.done) return;
  }
}

/** Throws `PermanentFailure('InvalidInput')` with the remedy where no Ollama is configured. */
export function requireOllama(api: OllamaApi | null): OllamaApi {
  if (api !== null) return api;
  throw new PermanentFailure(
    'InvalidInput',
    'InvalidInput: deployment.target: found "ollama", but no Ollama is configured. Start the worker with ANNEAL_OLLAMA_URL, for instance http://127.0.0.1:11434.',
  );
}
