import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

const directory = fileURLToPath(new URL('./histories/', import.meta.url));
const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));

export const largestHistoryBytes = 300_000;

/** A stored history as the Temporal CLI writes it; only what tests look at is named. */
export interface StoredHistory {
  readonly events: {
    workflowExecutionStartedEventAttributes?: { workflowId: string };
    activityTaskScheduledEventAttributes?: { activityType: { name: string } };
  }[];
}

export function storedHistories(): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

export function loadHistory(name: string): { history: StoredHistory; bytes: number } {
  const text = readFileSync(`${directory}${name}.json`, 'utf8');
  return { history: JSON.parse(text) as StoredHistory, bytes: Buffer.byteLength(text) };
}

/** Stores a run's history without the names of the machine that made it. */
export async function storeHistory(name: string, handle: WorkflowHandle): Promise<void> {
  const text = historyToJSON(await handle.fetchHistory())
    .replaceAll(repositoryRoot, '')
    .replaceAll(new RegExp(`\\d+@${hostname()}`, 'g'), '1@worker');
  writeFileSync(`${directory}${name}.json`, `${text}\n`);
}
