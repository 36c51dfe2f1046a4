import { z } from 'zod';
import type { DatasetManifest } from '../dataset.js';

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');
const countSchema = z.number().int().nonnegative();
const countsByNameSchema = z.record(z.string(), countSchema);

const storedFileSchema = z.object({
  uri: z.string().startsWith('s3://'),
  sha256: sha256Schema,
  bytes: countSchema,
  records: countSchema,
});

/** The contents of a stored `manifest.json`. */
export const datasetManifestSchema: z.ZodType<DatasetManifest> = z.object({
  schema: z.literal('dataset-manifest/v1'),
  sha256: sha256Schema,
  format: z.literal('bedrock-conversation-2024'),
  manifestUri: z.string().startsWith('s3://'),
  training: storedFileSchema,
  validation: storedFileSchema.nullable(),
  heldOut: storedFileSchema.nullable(),
  records: countSchema,
  counts: z.object({
    read: countSchema,
    accepted: countSchema,
    dropped: countsByNameSchema,
    byLabel: countsByNameSchema,
  }),
  guardrails: z.object({ rulesetHash: z.string(), blocks: countSchema, warnings: countSchema }),
  trainingTokens: countSchema,
  tokenizer: z.string(),
  recipeHash: z.string(),
  source: z.string(),
  notes: countsByNameSchema.optional(),
});
