import { z } from 'zod';

export const targetName = 'llama-server';

/** `deployment.settings` of this target. */
export const settingsSchema = z.strictObject({
  /** Tokens of prompt and answer together, for each question at the same time; memory grows with both. */
  contextTokens: z.number().int().min(256).max(131_072).default(2048),
  /** More than the machine has idle cores makes answers slower, not faster. */
  threads: z.number().int().min(1).max(64).default(1),
  /** Questions that are answered at the same time; the others wait in line. */
  parallelQuestions: z.number().int().min(1).max(64).default(1),
  /** Layers that the GPU takes; llama-server must have been built for it. */
  gpuLayers: z.number().int().min(0).max(999).default(0),
});

export type LlamaServerSettings = z.infer<typeof settingsSchema>;

/** What one server needs to answer as each of several deployments asks for. */
export function joinSettings(all: readonly LlamaServerSettings[]): LlamaServerSettings {
  const most = (name: keyof LlamaServerSettings) => Math.max(...all.map((settings) => settings[name]));
  return {
    contextTokens: most('contextTokens'),
    threads: most('threads'),
    parallelQuestions: most('parallelQuestions'),
    gpuLayers: most('gpuLayers'),
  };
}

export function coversSettings(has: LlamaServerSettings, wants: LlamaServerSettings): boolean {
  return (Object.keys(wants) as (keyof LlamaServerSettings)[]).every((name) => has[name] >= wants[name]);
}
