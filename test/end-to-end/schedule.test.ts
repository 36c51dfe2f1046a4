import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';
import type { RunResult } from '../../src/domain/run-state.js';
import { type Desk, startDesk } from '../support/desk.js';
import { hourInASecond } from '../support/sandbox.js';

/** `temporal schedule create …`, up to the first line that does not end with a backslash. */
const create = /^\S*temporal schedule create (?:.*\\\n)*.*$/m.exec(
  readFileSync(join(repositoryRoot, 'README.md'), 'utf8'),
)?.[0];

let desk: Desk;
beforeAll(async () => {
  desk = await startDesk({ clockScale: hourInASecond });
});
afterAll(() => desk?.stop());

describe("the README's schedule", () => {
  it('retrains; fired again on unchanged data it buys nothing', { timeout: 240_000 }, async () => {
    await typed(create ?? 'false');
    expect(await fire(1)).toMatchObject({ outcome: 'promoted', champion: 1 });
    const bought = await desk.ledger();
    expect(bought.filter(({ kind, action }) => kind === 'trainingJob' && action === 'create')).toHaveLength(
      1,
    );

    expect(await fire(2)).toMatchObject({ outcome: 'unchanged', champion: 1, version: null, spendUsd: 0 });
    expect(await desk.ledger()).toEqual(bought);

    await typed('temporal schedule delete --schedule-id weekly');
    expect((await desk.type('temporal schedule describe --schedule-id weekly')).exitCode).toBe(1);
  });
});

/** Triggers the schedule for the given time and waits for the run that it starts. */
async function fire(firing: number): Promise<RunResult> {
  await typed('temporal schedule trigger --schedule-id weekly');
  const workflowId = await idOfFiring(firing);
  const output = await typed(`temporal workflow result -o json --workflow-id '${workflowId}'`);
  return (JSON.parse(output) as { result: RunResult }).result;
}

async function idOfFiring(firing: number): Promise<string> {
  for (;;) {
    const output = await typed(
      `temporal workflow list -o json --query "TemporalScheduledById='weekly'" --limit 10`,
    );
    const runs = JSON.parse(output) as { execution: { workflowId: string }; startTime: string }[];
    const ids = runs
      .sort((a, b) => Date.parse(a.startTime) - Date.parse(b.startTime))
      .map(({ execution }) => execution.workflowId);
    const id = ids[firing - 1];
    if (id !== undefined) return id;
    await sleep(200);
  }
}

async function typed(commandLine: string): Promise<string> {
  const { exitCode, output } = await desk.type(commandLine);
  expect(exitCode, output).toBe(0);
  return output;
}
