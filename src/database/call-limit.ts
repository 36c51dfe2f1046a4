import type pg from 'pg';
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';

/** One number for every process that works on this database: `callsPerSecond` of each API of `account`. */
export function createCallLimit(input: { pool: pg.Pool; account: string; callsPerSecond: number }) {
  const rate = { points: input.callsPerSecond, duration: 1, keyPrefix: input.account };
  const limiter = new RateLimiterPostgres({
    ...rate,
    storeClient: input.pool,
    tableName: 'call_rates',
    tableCreated: true,
    clearExpiredByTimeout: false,
    // Nobody asks the database again in a second that is known to be used up.
    inMemoryBlockOnConsumed: input.callsPerSecond,
    // Without the database each process keeps to the limit alone.
    insuranceLimiter: new RateLimiterMemory(rate),
  });
  return {
    async take(api: string): Promise<number> {
      try {
        await limiter.consume(api);
        return 0;
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext);
        throw refusal;
      }
    },
  };
}
