import type { Reply } from './http/message.js';
import type { World } from './world.js';

/** One call of one operation of one service, as everything that looks at traffic sees it. */
export interface Call {
  readonly service: 'bedrock' | 'bedrock-runtime' | 's3' | 'sagemaker' | 'sts';
  /** As AWS spells it, for instance `CreateModelCustomizationJob`. */
  readonly operation: string;
  readonly requestId: string;
  /** Every name and ARN that the call bears or means; for S3 the bucket, and the bucket with its key. */
  names(): readonly string[];
}

/**
 * Lets a call take effect and answers it. With a world other than the present one, a read is answered from
 * that.
 */
export type Perform = (view?: World) => Promise<Reply>;

/**
 * The gate that every call of every service passes, before and after it takes effect. What `perform`
 * returns has happened: to lose a reply is to perform and throw `ConnectionLost`, to refuse is not to
 * perform.
 */
export type Gate = (call: Call, perform: Perform) => Promise<Reply>;

/** Thrown by a gate: the caller gets no answer, its connection is cut. */
export class ConnectionLost extends Error {}

export interface OperationMetrics {
  count: number;
  /** Answers by status; `none` for a call whose connection was cut. */
  readonly statuses: Record<string, number>;
  totalMs: number;
  slowestMs: number;
}

/** Counts what passes. */
export class CallMeter {
  readonly operations: Record<string, OperationMetrics> = {};

  /** A gate that counts what another gate answers. */
  around(inner: Gate): Gate {
    return async (call, perform) => {
      const startedAtMs = performance.now();
      let status: number | 'none' = 'none';
      try {
        const reply = await inner(call, perform);
        status = reply.status;
        return reply;
      } finally {
        this.#count(call, status, performance.now() - startedAtMs);
      }
    };
  }

  #count(call: Call, status: number | 'none', elapsedMs: number): void {
    const name = `${call.service}:${call.operation}`;
    this.operations[name] ??= { count: 0, statuses: {}, totalMs: 0, slowestMs: 0 };
    const metrics = this.operations[name];
    metrics.count += 1;
    metrics.statuses[status] = (metrics.statuses[status] ?? 0) + 1;
    metrics.totalMs += elapsedMs;
    metrics.slowestMs = Math.max(metrics.slowestMs, elapsedMs);
  }
}
