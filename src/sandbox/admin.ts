import type { OperationMetrics } from './call.js';
import type { Fault, FaultRule } from './faults/script.js';
import type { LedgerEntry, ResourceKind } from './ledger.js';

export type { LedgerEntry, OperationMetrics, ResourceKind };

/** What the sandbox's admin surface under `/_anneal/` answers; all of it JSON. */

/** GET /_anneal/health */
export interface SandboxHealth {
  readonly ok: true;
  readonly simulated: true;
  readonly pid: number;
  readonly stateDirectory: string;
  /** Sandbox time, ISO 8601. */
  readonly time: string;
  readonly clockScale: number;
}

export interface SandboxResource {
  readonly kind: ResourceKind;
  readonly name: string;
  /** An ARN; for a bucket its name. */
  readonly resource: string;
  readonly status: string;
  /** Whether it exists now; jobs exist for ever. */
  readonly isLive: boolean;
  readonly createdAt: string;
  /** When it was deleted, or when a job ended. */
  readonly endedAt: string | null;
  readonly baseModel: string | null;
  /** The model that a deployment or throughput serves, or that a job makes. */
  readonly modelArn: string | null;
  readonly tags: Readonly<Record<string, string>>;
  /** What it costs an hour now; 0 when it is gone. */
  readonly usdPerHour: number;
  readonly hoursBilled: number;
  /** What it has cost so far: hours, training and tokens. */
  readonly usd: number;
  readonly requests: number;
}

/** GET /_anneal/state */
export interface SandboxState {
  readonly simulated: true;
  readonly note: string;
  readonly accountId: string;
  readonly time: string;
  readonly clockScale: number;
  readonly resources: readonly SandboxResource[];
  /** Tokens answered by base models, which nobody created. */
  readonly baseModels: readonly {
    readonly modelId: string;
    readonly requests: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly usd: number;
  }[];
  /** What everything that is live costs an hour. */
  readonly usdPerHour: number;
  /** What everything has cost so far. */
  readonly usd: number;
}

/** GET /_anneal/ledger */
export interface SandboxLedger {
  readonly simulated: true;
  readonly entries: readonly LedgerEntry[];
}

/** POST /_anneal/clock, body and answer */
export interface SandboxClockChange {
  /** Sandbox seconds in a real second, more than 0. */
  readonly scale: number;
}

/** GET /_anneal/metrics; counts since the sandbox was started */
export interface SandboxMetrics {
  readonly simulated: true;
  readonly operations: Readonly<Record<string, OperationMetrics>>;
  /** Answers of ours that broke AWS's model. Anything but empty is a mistake in the sandbox. */
  readonly invalidResponses: readonly string[];
}

/** GET, PUT and DELETE /_anneal/faults; counts and log since the script was set or the sandbox started */
export interface SandboxFaults {
  readonly simulated: true;
  /** The scenario's name, when it is one. */
  readonly name: string | null;
  /** Sandbox time, ISO 8601. */
  readonly installedAt: string;
  /** Every rule with how many calls it matched, and how many of them it befell. */
  readonly faults: readonly (FaultRule & { readonly matched: number; readonly fired: number })[];
  /** What has been decided about resources and may still show; it stays when the script goes. */
  readonly fates: readonly { readonly resource: string; readonly rule: number; readonly fault: Fault }[];
  /** In the order of happening, the newest 10,000. */
  readonly log: readonly SandboxFiredFault[];
  /** How many lines the log has had. */
  readonly logged: number;
}

export interface SandboxFiredFault {
  readonly sequence: number;
  /** Sandbox time, ISO 8601. */
  readonly at: string;
  /** As `service:Operation`. */
  readonly operation: string;
  readonly kind: string;
  /** The rule's position; null for a later call that shows what an earlier one was doomed to. */
  readonly rule: number | null;
  /** The resource whose fate shows; null for the line of a rule. */
  readonly resource: string | null;
  readonly requestId: string;
}

/** GET /_anneal/faults/scenarios */
export interface SandboxFaultScenarios {
  readonly simulated: true;
  readonly scenarios: readonly {
    readonly name: string;
    readonly description: string;
    readonly faults: readonly FaultRule[];
  }[];
}
