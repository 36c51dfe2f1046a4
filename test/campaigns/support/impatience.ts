import { msToNumber } from '@temporalio/common/lib/time.js';
import type { WorkflowInterceptors } from '@temporalio/workflow';

/**
 * Stands around the workflows of a campaign: the time after which the work of a dead process is given to
 * another is at most five seconds, as otherwise most of a campaign is spent waiting for it. Everything else
 * is as in production.
 */
const longestSilenceMs = 5_000;

export const interceptors = (): WorkflowInterceptors => ({
  outbound: [
    {
      scheduleActivity: (input, next) => {
        const { heartbeatTimeout, startToCloseTimeout } = input.options;
        const beats = heartbeatTimeout !== undefined && heartbeatTimeout !== null;
        const shorter = beats
          ? { heartbeatTimeout: shortest(heartbeatTimeout) }
          : { startToCloseTimeout: shortest(startToCloseTimeout) };
        return next({ ...input, options: { ...input.options, ...shorter } });
      },
    },
  ],
});

function shortest(duration: Parameters<typeof msToNumber>[0] | undefined): number {
  return Math.min(longestSilenceMs, duration === undefined ? longestSilenceMs : msToNumber(duration));
}
