import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import type { RunResult, RunStatus } from '../../domain/run-state.js';
import { statusQuery } from '../../workflows/messages.js';

export interface Followed {
  readonly closed: WorkflowExecutionDescription['status']['name'];
  readonly result: RunResult | null;
  readonly failure: string | null;
  /** One of the failure types that people script against, `TrainingFailed` for instance. */
  readonly failureType: string | null;
  /** What the failure carries for scripts, for instance each problem of a dataset. */
  readonly details: readonly unknown[];
}

export interface FollowOptions {
  readonly client: Client;
  readonly workflowId: string;
  readonly print: (line: string) => void;
  /** Called with each status seen, for instance to crash something at the right moment. */
  readonly onStatus?: (status: RunStatus) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Prints what changes in a run until it closes: stages, and what it waits for between them. */
export async function followRun(options: FollowOptions): Promise<Followed> {
  const { client, workflowId, print, onStatus, signal } = options;
  const handle = client.workflow.getHandle(workflowId);
  const printed = new Set<string>();
  const printOnce = (line: string) => {
    if (printed.has(line)) return;
    printed.add(line);
    print(line);
  };
  for (;;) {
    const description = await handle.describe();
    const { name: closed } = description.status;
    const status = await queryStatus(options);
    for (const { name, status: state, note } of status?.stages ?? []) {
      if (state !== 'waiting' && note) printOnce(`  ${state.padEnd(9)} ${name}: ${note}`);
    }
    for (const line of waitingLines(description)) printOnce(`    ${line}`);
    if (closed !== 'RUNNING') return await outcome(options, closed);
    if (status) await onStatus?.(status);
    await sleep(250, null, { signal });
  }
}

/** Null while no worker is there to answer. */
async function queryStatus({ client, workflowId }: FollowOptions): Promise<RunStatus | null> {
  try {
    return await client.withDeadline(Date.now() + 1500, () =>
      client.workflow.getHandle(workflowId).query(statusQuery),
    );
  } catch {
    return null;
  }
}

/** The messages of activities that wait between two looks. */
function waitingLines({ raw }: WorkflowExecutionDescription): string[] {
  return (raw.pendingActivities ?? []).flatMap(({ lastFailure, attempt }) =>
    lastFailure?.message ? [`look ${attempt}: ${lastFailure.message}`] : [],
  );
}

async function outcome({ client, workflowId }: FollowOptions, closed: Followed['closed']): Promise<Followed> {
  try {
    const result = (await client.workflow.getHandle(workflowId).result()) as RunResult;
    return { closed, result, failure: null, failureType: null, details: [] };
  } catch (error) {
    const cause = error instanceof Error ? error.cause : null;
    const { type: failureType = null, details = [] } = cause instanceof ApplicationFailure ? cause : {};
    const failure = cause instanceof Error ? cause.message : String(error);
    return { closed, result: null, failure, failureType: failureType ?? null, details: details ?? [] };
  }
}
