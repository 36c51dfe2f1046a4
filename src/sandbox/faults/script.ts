import { z } from 'zod';
import { parseInput, refusal } from '../input.js';
import { allows, operationsOf, patterns } from './operations.js';

const mostMs = 600_000;
const duration = z.int().min(0).max(mostMs);
const message = z.string().min(1).max(1000).optional();

/** What can be done to one call, or to what it creates. */
const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('throttle'), message }),
  z.strictObject({ kind: z.literal('error'), status: z.literal([500, 503]), message }),
  z.strictObject({ kind: z.literal('accessDenied'), message }),
  z.strictObject({ kind: z.literal('expiredToken'), message }),
  z.strictObject({ kind: z.literal('conflict'), message }),
  z.strictObject({ kind: z.literal('capacity'), message }),
  z.strictObject({ kind: z.literal('reset') }),
  z.strictObject({ kind: z.literal('slow'), delayMs: duration }),
  z.strictObject({ kind: z.literal('timeoutBefore'), holdMs: duration.default(120_000) }),
  z.strictObject({ kind: z.literal('timeoutAfterCommit'), holdMs: duration.default(0) }),
  z.strictObject({
    kind: z.literal('malformedBody'),
    body: z.enum(['truncated', 'notJson']).default('truncated'),
  }),
  z.strictObject({
    kind: z.literal('staleList'),
    seconds: z.number().positive().optional(),
    mutations: z.int().min(1).optional(),
  }),
  z.strictObject({ kind: z.literal('notFoundAfterCreate'), reads: z.int().min(1).default(3) }),
  z.strictObject({ kind: z.literal('stuck') }),
  z.strictObject({ kind: z.literal('backwards') }),
  z.strictObject({
    kind: z.literal('completedWithoutArtifact'),
    missing: z.enum(['arn', 'model', 'both']).default('both'),
  }),
  z.strictObject({
    kind: z.literal('jobFailed'),
    failureMessage: z.string().min(1).max(2048).default('Internal error while training the model.'),
    /** Where it fails; `afterMinutes` counts from the beginning of that stage. */
    stage: z.enum(['validation', 'training']).default('validation'),
    afterMinutes: z.number().min(0).default(5),
  }),
  /** A spot instance is taken back while it trains, and another one comes later. */
  z.strictObject({
    kind: z.literal('interrupted'),
    /** Since training began. */
    afterMinutes: z.number().min(0).default(5),
    forMinutes: z.number().min(0).default(10),
  }),
  z.strictObject({
    kind: z.literal('deploymentFailed'),
    failureMessage: z.string().min(1).max(2048).default('Internal error while preparing the model.'),
  }),
]);

const nthWords = 'a whole number from 1, a list of them, "always" or {"probability": 0.1, "seed": 7}';
const position = z.int({ error: nthWords }).min(1, nthWords);
const nth = z.union(
  [
    position,
    z.array(position).min(1, nthWords),
    z.literal('always'),
    z.strictObject({ probability: z.number().min(0).max(1), seed: z.int() }),
  ],
  {
    error: nthWords,
  },
);

const rule = z
  .strictObject({
    operation: z.string(),
    nth,
    match: z.string().min(1).optional(),
    during: z
      .strictObject({
        fromMinutes: z.number().min(0).default(0),
        toMinutes: z.number().positive().optional(),
      })
      .optional(),
    fault,
  })
  .superRefine((value, context) => {
    const named = operationsOf(value.operation);
    const problem = (path: string[], text: string) =>
      context.addIssue({ code: 'custom', path, message: text, params: { isSentence: true } });
    if (named.length === 0) problem(['operation'], refusal(value.operation, patterns));
    const { kind } = value.fault;
    if (named.length > 0 && !named.some((each) => allows(kind, each.service, each.operation))) {
      const possible = operationsOf('*').filter((each) => allows(kind, each.service, each.operation));
      const names = possible.map((each) => each.operation).join(', ');
      problem(['fault', 'kind'], `"${kind}" cannot happen to ${value.operation}; it can to: ${names}.`);
    }
    if (value.fault.kind === 'staleList' && value.fault.seconds && value.fault.mutations) {
      problem(['fault'], 'found both seconds and mutations; allowed: one of them.');
    }
    const { fromMinutes = 0, toMinutes = Number.POSITIVE_INFINITY } = value.during ?? {};
    if (toMinutes <= fromMinutes) {
      problem(['during', 'toMinutes'], `found ${toMinutes}; allowed: more than fromMinutes, ${fromMinutes}.`);
    }
  });

const script = z.strictObject({
  name: z.string().optional(),
  description: z.string().optional(),
  faults: z.array(rule),
});

/** A fault script as a person writes it. */
export type FaultScript = z.input<typeof script>;
/** A fault script with every default filled in. */
export type CheckedScript = z.output<typeof script>;
export type FaultRule = CheckedScript['faults'][number];
export type Fault = FaultRule['fault'];
export type FaultKind = Fault['kind'];
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { kind: Kind }>;

/** Checks a fault script; throws an error that names every problem. */
export function parseFaultScript(input: unknown, subject: string): CheckedScript {
  return parseInput<CheckedScript>(script, input, subject);
}
