import { msToNumber } from '@temporalio/common/lib/time.js';
import type { WorkflowInterceptors } from '@temporalio/workflow';

/**
 * Stands around the workflows of a campaign: the work of a dead process is given to another after six
 * seconds, as otherwise most of a campaign is spent waiting for that. Everything else is as in production.
 *
 * Six are more than the pause after which an attempt takes itself for stale (`keepAlive`), as in production.
 */
const longestSilenceMs = 6_000;

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity: (input, next) => {
        const { heartbeatTimeout, startToCloseTimeout } = input.options;
        const shorter = heartbeatTimeout
          ? { heartbeatTimeout: atMost(heartbeatTimeout) }
          : { startToCloseTimeout: atMost(startToCloseTimeout) };
        return next({ ...input, options: { ...input.options, ...shorter } });
      },
    },
  ],
});

function atMost(duration: Parameters<typeof msToNumber>[0] | undefined): number {
  return duration === undefined ? longestSilenceMs : Math.min(longestSilenceMs, msToNumber(duration));
}
