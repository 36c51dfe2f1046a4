import { z } from 'zod';

const comparison = z.enum(['==', '>', '>=', '<', '<=']);

/** One threshold: `metric op value`. A critical check that fails rejects; a plain one is reported. */
const gateCheckSchema = z.strictObject({
  metric: z.string().min(1),
  op: comparison,
  value: z.number(),
  critical: z.boolean().default(false),
  /** Fewer answers than this make the check inconclusive. */
  minimumSamples: z.number().int().positive().optional(),
  /** Where the threshold comes from: a seed document, AWS, or a default of ours. */
  source: z.string().optional(),
  reason: z.string().optional(),
});

export const gatePolicySchema = z.strictObject({
  schema: z.literal('gate/v1'),
  id: z.string().min(1),
  /** `literal` applies each comparison strictly to the measured value; intervals are reported beside it. */
  mode: z.literal('literal'),
  confidence: z.number().gt(0).lt(1).default(0.95),
  checks: z.array(gateCheckSchema).min(1),
});

export type GateCheck = z.infer<typeof gateCheckSchema>;
export type GatePolicy = z.infer<typeof gatePolicySchema>;

export type CheckStatus = 'pass' | 'fail' | 'inconclusive' | 'no-data';

export interface CheckResult {
  readonly metric: string;
  readonly op: GateCheck['op'];
  readonly threshold: number;
  readonly value: number | null;
  /** Wilson interval for rates, bootstrap or order statistics elsewhere; null where none applies. */
  readonly interval: readonly [low: number, high: number] | null;
  readonly samples: number;
  readonly critical: boolean;
  readonly status: CheckStatus;
  /** One sentence for the gate table. */
  readonly explanation: string;
}
