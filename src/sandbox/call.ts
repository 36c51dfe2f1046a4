import type { Reply } from './http/message.js';

/** One call of one operation of one service, as everything that looks at traffic sees it. */
export interface Call {
  readonly service: 'bedrock' | 'bedrock-runtime' | 's3' | 'sts';
  /** As AWS spells it, for instance `CreateModelCustomizationJob`. */
  readonly operation: string;
  readonly requestId: string;
}

/**
 * The gate that every call of every service passes, before and after it takes effect. What `perform`
 * returns has happened: to lose a reply is to perform and not answer, to refuse is not to perform.
 */
export type Gate = (call: Call, perform: () => Promise<Reply>) => Promise<Reply>;

export interface OperationMetrics {
  count: number;
  /** Answers by status. */
  readonly statuses: Record<string, number>;
  totalMs: number;
  slowestMs: number;
}

/** Counts what passes. */
export class CallMeter {
  readonly operations: Record<string, OperationMetrics> = {};

  readonly gate: Gate = async (call, perform) => {
    const startedAtMs = performance.now();
    const reply = await perform();
    const elapsedMs = performance.now() - startedAtMs;
    const name = `${call.service}:${call.operation}`;
    this.operations[name] ??= { count: 0, statuses: {}, totalMs: 0, slowestMs: 0 };
    const metrics = this.operations[name];
    metrics.count += 1;
    metrics.statuses[reply.status] = (metrics.statuses[reply.status] ?? 0) + 1;
    metrics.totalMs += elapsedMs;
    metrics.slowestMs = Math.max(metrics.slowestMs, elapsedMs);
    return reply;
  };
}
