import { join } from 'node:path';
import { expect } from 'vitest';
import { convertToGguf, makeTinyAdapter, makeTinyModel } from '../programs.js';
import { type GgufHome, sha256Of } from './gguf-machine.js';

/** A tiny base model in the object store, and adapters on it. */
export interface AdapterKit {
  /** The model as training takes it. */
  readonly baseModel: string;
  readonly base: { readonly uri: string; readonly sha256: string; readonly bytes: number };
  /** With random weights; each call another one. */
  newAdapter(): Promise<Buffer>;
  /** Stores an adapter as the converter does, with the base model's file in its description. */
  store(name: string, file: Buffer, manifest?: Record<string, unknown>): Promise<string>;
}

export const guestQuestion = {
  system: 'Answer in JSON.',
  turns: [{ role: 'user' as const, text: 'Guest 0 is called Ada.' }],
  maxTokens: 16,
  temperature: 0,
};

export async function createAdapterKit(
  folder: string,
  home: GgufHome,
  seed: number,
  quantization = 'q8_0',
): Promise<AdapterKit> {
  const baseModel = makeTinyModel(join(folder, `base-${seed}`), seed);
  const bytes = await convertToGguf(folder, baseModel, quantization);
  const uri = `s3://${home.store.bucket}/base-models/tiny-${seed}/${quantization}.gguf`;
  await home.store.put(uri, bytes);
  const base = { uri, sha256: sha256Of(bytes), bytes: bytes.length };
  let next = 100 * seed;
  const convert = (adapter: string) => convertToGguf(folder, baseModel, 'adapter', adapter);
  return {
    baseModel,
    base,
    newAdapter: async () => {
      next += 1;
      return convert(makeTinyAdapter(join(folder, `adapter-${next}`), baseModel, next));
    },
    store: (name, file, manifest) => home.storeModel(name, file, { base, ...manifest }),
  };
}

/** The same adapter, of a kind that llama.cpp does not know. */
export function unreadable(adapter: Buffer): Buffer {
  const file = Buffer.from(adapter);
  // After the name come the type of the value and its length.
  file.write('none', file.indexOf('adapter.type') + 'adapter.type'.length + 12);
  return file;
}

/** Asks by turns, and then once more: each has to say again what it said, and something else than the other. */
export async function expectOwnAnswers(
  ask: (deploymentId: string) => Promise<string>,
  deploymentIds: string[],
) {
  const rounds: string[][] = [];
  for (const _ of [1, 2]) {
    const answers: string[] = [];
    for (const deploymentId of deploymentIds) answers.push(await ask(deploymentId));
    rounds.push(answers);
  }
  expect(rounds[1]).toEqual(rounds[0]);
  expect(new Set(rounds[0]).size).toBe(deploymentIds.length);
}
