import { z } from 'zod';

export const targetName = 'ollama';

/** `deployment.settings` of this target. */
export const settingsSchema = z.strictObject({
  /** Tokens of prompt and answer together; memory grows with it. */
  contextTokens: z.number().int().min(256).max(131_072).default(2048),
  /** Ollama's own choice unless given. */
  threads: z.number().int().min(1).max(256).optional(),
  /** How long the model stays in memory after a question. */
  keepAliveMinutes: z.number().int().min(0).max(10_080).default(60),
  /** For programs that ask Ollama themselves; Anneal's own questions carry their prompt whole. */
  system: z.string().min(1).optional(),
  /** Ollama's Go template, for the same programs; Ollama finds one that resembles the file's unless given. */
  template: z.string().min(1).optional(),
  /** Texts that end an answer besides the model's own end token. */
  stop: z.array(z.string().min(1)).max(16).optional(),
});

export type OllamaSettings = z.infer<typeof settingsSchema>;
