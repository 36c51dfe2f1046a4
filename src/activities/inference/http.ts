import type { Readable } from 'node:stream';
import { Obstacle, PermanentFailure } from '../../domain/failures.js';
import { throwIfWithdrawn } from './llama-cpp/engine.js';

export interface ServerCall {
  /** For people, for instance `Ollama`. */
  readonly server: string;
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'HEAD' | 'DELETE';
  /** Sent as JSON, or as it is where it is a stream. */
  readonly body?: object | Readable;
  /** Sent as a bearer token; no message says it. */
  readonly apiKey?: string | null;
  readonly signal?: AbortSignal;
}

/**
 * Calls a model server. Null where it answers 404. Throws `PermanentFailure('ProviderRejected')` for what it will
 * never take, `Obstacle` for what somebody or time mends, an `AbortError` once `signal` says so, and any other error
 * to be retried.
 */
export async function callServer(call: ServerCall): Promise<Response | null> {
  const { url, method = 'GET', body, apiKey, signal } = call;
  const isStream = body !== undefined && 'pipe' in body;
  const response = await fetch(url, {
    method,
    signal,
    headers: {
      // A server may end a connection that was kept open at the very moment when a question is sent on it.
      connection: 'close',
      ...(apiKey && { authorization: `Bearer ${apiKey}` }),
      ...(body !== undefined && {
        'content-type': isStream ? 'application/octet-stream' : 'application/json',
      }),
    },
    ...(body !== undefined && {
      body: (isStream ? body : JSON.stringify(body)) as RequestInit['body'],
      duplex: 'half',
    }),
  } as RequestInit).catch((error: unknown) => {
    throwIfWithdrawn(signal);
    throw unanswered(call, error);
  });
  if (response.ok) return response;
  const said = await response.text().catch(() => '');
  if (response.status === 404) return null;
  throw toFailure(call, response.status, errorTextOf(said));
}

/** Lines of a streamed answer as they come. Throws an error to be retried where the stream is cut. */
export async function* readLines(call: ServerCall, response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let unread = '';
  try {
    for await (const chunk of response.body ?? []) {
      const lines = `${unread}${decoder.decode(chunk as Uint8Array, { stream: true })}`.split('\n');
      unread = lines.pop() ?? '';
      yield* lines.filter((line) => line.trim() !== '');
    }
  } catch (error) {
    throwIfWithdrawn(call.signal);
    throw unanswered(call, error);
  }
  if (unread.trim() !== '') throw new Error(`${call.server} broke off its answer in the middle of a line`);
}

function unanswered({ server, url }: ServerCall, error: unknown): Error {
  const { message, cause } = error as Error;
  const reason = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message;
  const { origin } = new URL(url);
  return new Error(
    `${server} at ${origin} does not answer to the end (${reason}); start it, or look at its log`,
    {
      cause: error,
    },
  );
}

function toFailure({ server, url, method = 'GET' }: ServerCall, status: number, said: string): Error {
  const { origin, pathname } = new URL(url);
  const what = `${server} at ${origin} refused ${method} ${pathname} with ${status}: ${said || 'no reason given'}`;
  if (status === 401 || status === 403) return new Obstacle('permission', what);
  if (status === 429) return new Obstacle('throttling', what);
  if (status >= 400 && status < 500) {
    return new PermanentFailure('ProviderRejected', `ProviderRejected: ${what}.`, [{ server, status }]);
  }
  return new Error(what);
}

/** The message in `{"error": "…"}` or `{"error": {"message": "…"}}`, else the beginning of the text. */
function errorTextOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: string | { message?: string } };
    const said = typeof error === 'string' ? error : error?.message;
    if (said) return said;
  } catch {
    // Not every server answers in JSON.
  }
  return text.slice(0, 500).trim();
}
