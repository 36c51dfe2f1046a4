import { z } from 'zod';
import { PermanentFailure } from '../../../domain/failures.js';
import { endpointName, type InferenceClient } from '../client.js';
import { callServer, type ServerCall } from '../http.js';
import { refused } from '../refused.js';
import { createOpenAiCompatibleClient, type Endpoint } from './client.js';

export interface EndpointOptions {
  /** The base address, as OpenAI's own clients take it; null where none is configured. */
  readonly url: string | null;
  readonly apiKey: string | null;
}

const server = 'the endpoint';

/**
 * Asks the models that another server serves, by the names that it gives them (vLLM, LM Studio, llama-server, a
 * hosted service). A question is put only after the endpoint was found to list its model.
 */
export function createEndpointInferenceClient({ url, apiKey }: EndpointOptions): InferenceClient {
  const base = url?.replace(/\/+$/, '') ?? null;
  const client = createOpenAiCompatibleClient({
    name: endpointName,
    find: ({ modelId }, signal) => find({ url: base, apiKey }, modelId, signal),
  });
  return {
    name: client.name,
    ask: (question, signal) =>
      client.ask(question, signal).catch((error: unknown) => {
        if (question.answerSchema === undefined || !isRefusedForItsForm(error)) throw error;
        return client.ask({ ...question, answerSchema: undefined }, signal);
      }),
  };
}

async function find(
  { url, apiKey }: EndpointOptions,
  modelId: string,
  signal: AbortSignal | undefined,
): Promise<Endpoint> {
  if (url === null) {
    throw refused(modelId, 'no endpoint is configured; set ANNEAL_OPENAI_COMPATIBLE_URL of the worker');
  }
  const served = await listModels({ server, url: `${url}/models`, apiKey, signal });
  if (!served.includes(modelId)) {
    const names = served.slice(0, 20).join(', ') || 'none';
    throw refused(modelId, `the endpoint at ${url} does not serve it; it serves: ${names}`);
  }
  return { server, url, model: modelId, apiKey };
}

/** https://platform.openai.com/docs/api-reference/models/list */
const modelList = z.object({ data: z.array(z.object({ id: z.string() })) });

async function listModels(call: ServerCall): Promise<string[]> {
  const response = await callServer(call);
  const list = response === null ? null : modelList.safeParse(await response.json().catch(() => null));
  if (list?.success) return list.data.data.map(({ id }) => id);
  throw new PermanentFailure(
    'ProviderRejected',
    `ProviderRejected: ${call.url} lists no models, so that nothing shows what is served. Remedy: ANNEAL_OPENAI_COMPATIBLE_URL is the base address, mostly with /v1 at its end.`,
    [{ url: call.url }],
  );
}

/** Not every server holds answers to a schema, and some take only schemas of a certain make. */
function isRefusedForItsForm(error: unknown): boolean {
  if (!(error instanceof PermanentFailure)) return false;
  const [detail] = error.details as readonly { readonly status?: number }[];
  return detail?.status === 400 || detail?.status === 422;
}
