import type { Client } from '@temporalio/client';

/** A run's events as they come, by name: `ActivityTaskScheduled:createDeployment`, `WorkflowTaskStarted`, … */
export interface HistoryBatch {
  /**
   * The whole history so far without what a dead worker leaves in it: workflow tasks that timed out. So it is
   * comparable with the history of a run that nobody disturbed.
   */
  readonly events: readonly string[];
}

/** Long-polls the history of a run until it ends. */
export async function* followHistory(
  client: Client,
  execution: { workflowId: string; runId: string },
  signal: AbortSignal,
): AsyncGenerator<HistoryBatch> {
  const events: string[] = [];
  const scheduled = new Map<string, string>();
  let nextPageToken: Uint8Array | null | undefined;
  do {
    const request = { namespace: 'default', execution, nextPageToken, waitNewEvent: true };
    const page = await abortable(client, signal, () =>
      client.workflowService.getWorkflowExecutionHistory(request),
    );
    for (const event of page.history?.events ?? []) {
      const type = nameOf(event.attributes);
      const activityType = event.activityTaskScheduledEventAttributes?.activityType?.name;
      if (activityType) scheduled.set(String(event.eventId), activityType);
      const of =
        event.activityTaskStartedEventAttributes ??
        event.activityTaskCompletedEventAttributes ??
        event.activityTaskFailedEventAttributes ??
        event.activityTaskTimedOutEventAttributes ??
        event.activityTaskCancelRequestedEventAttributes ??
        event.activityTaskCanceledEventAttributes;
      const activity = activityType ?? (of && scheduled.get(String(of.scheduledEventId)));
      if (type === 'WorkflowTaskTimedOut' || type === 'WorkflowTaskFailed') {
        while (events.at(-1)?.startsWith('WorkflowTask')) {
          if (events.pop() === 'WorkflowTaskScheduled') break;
        }
      } else {
        events.push(activity ? `${type}:${activity}` : type);
      }
    }
    yield { events };
    nextPageToken = page.nextPageToken;
  } while (nextPageToken && nextPageToken.length > 0);
}

/** `activityTaskScheduledEventAttributes` as `ActivityTaskScheduled`. */
function nameOf(attributes: string | undefined): string {
  const name = attributes?.replace(/EventAttributes$/, '') ?? 'unknown';
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** A long-lived signal would otherwise keep a listener for every call. */
async function abortable<T>(client: Client, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await client.connection.withAbortSignal(controller.signal, call);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
