import { z } from 'zod';

export const targetName = 'llama-cpp';

/** `deployment.settings` of this target. */
export const settingsSchema = z.strictObject({
  /** Tokens of prompt and answer together; memory grows with it. A model trained on fewer keeps to those. */
  contextTokens: z.number().int().min(256).max(131_072).default(2048),
  /** More than the machine has idle cores makes answers slower, not faster. */
  threads: z.number().int().min(1).max(64).default(1),
});

export type LlamaCppSettings = z.infer<typeof settingsSchema>;
