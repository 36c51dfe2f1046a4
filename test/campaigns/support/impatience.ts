import { msToNumber } from '@temporalio/common/lib/time.js';
import type { WorkflowInterceptors } from '@temporalio/workflow';

/**
 * Stands around the workflows of a campaign: the work of a dead process is given to another after a few
 * seconds, as otherwise most of a campaign is spent waiting for that. Everything else is as in production.
 */
const longestWithoutHeartbeatMs = 4_000;
/** More than the pause after which an attempt takes itself for stale (`keepAlive`), as in production. */
const longestBetweenHeartbeatsMs = 6_000;

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity: (input, next) => {
        const { heartbeatTimeout, startToCloseTimeout } = input.options;
        const shorter = heartbeatTimeout
          ? { heartbeatTimeout: atMost(longestBetweenHeartbeatsMs, heartbeatTimeout) }
          : { startToCloseTimeout: atMost(longestWithoutHeartbeatMs, startToCloseTimeout) };
        return next({ ...input, options: { ...input.options, ...shorter } });
      },
    },
  ],
});

function atMost(limitMs: number, duration: Parameters<typeof msToNumber>[0] | undefined): number {
  return duration === undefined ? limitMs : Math.min(limitMs, msToNumber(duration));
}
