import { callServer } from '../../inference/http.js';

interface LoraAdapter {
  readonly id: number;
  readonly path: string;
  readonly scale: number;
}

const timeoutMs = 10_000;

/**
 * Makes sure that a llama-server has these adapters under these numbers and uses none of them unless a question says
 * so: a started server applies all of them. Returns what it says instead; null where all is well.
 */
export async function prepareAdapters(url: string, paths: readonly string[]): Promise<string | null> {
  const call = { server: 'llama-server', url: `${url}/lora-adapters` };
  const read = async () => {
    const response = await callServer({ ...call, signal: AbortSignal.timeout(timeoutMs) });
    return ((await response?.json()) ?? []) as readonly LoraAdapter[];
  };
  const off = paths.map((_, id) => ({ id, scale: 0 }));
  await callServer({ ...call, method: 'POST', body: off, signal: AbortSignal.timeout(timeoutMs) });
  const adapters = await read();
  const found = paths.map((_, number) => adapters.find(({ id }) => id === number)?.path);
  if (adapters.length !== paths.length || found.some((path, number) => path !== paths[number])) {
    return `llama-server at ${url} has the adapters ${adapters.map(({ path }) => path).join(', ') || 'none'}, not ${paths.join(', ')}`;
  }
  const applied = adapters.filter(({ scale }) => scale !== 0).map(({ path }) => path);
  return applied.length === 0
    ? null
    : `llama-server at ${url} applies ${applied.join(', ')} to questions that name no adapter`;
}
