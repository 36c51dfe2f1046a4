import { randomBytes } from 'node:crypto';
import type { SweepResult } from '../../../src/domain/sweep.js';
import type { Campaign } from '../support/campaign.js';
import { findingsOf } from '../support/invariants.js';
import { terminateIfRunning } from '../support/world.js';
import { checkAll, orphansOf } from './checks.js';
import { type Aftermath, lookAgainSeconds, type Staged } from './stage.js';

/** The first may come before a create that was under way; the second comes after it. */
const sweeps = 2;

/** Terminates a run and every lease of its model, and has the sweep alone clean up behind them. */
export async function afterTerminateAll(campaign: Campaign, row: string, staged: Staged): Promise<Aftermath> {
  const { lane, model, handle } = staged;
  await handle.terminate('the campaign');
  for (const workflowId of await openLeases(staged)) await terminateIfRunning(lane, workflowId);
  lane.workers?.continue();
  for (let swept = 0; swept < sweeps; swept += 1) {
    if (swept > 0) await new Promise((resolve) => setTimeout(resolve, lookAgainSeconds * 1000));
    const { counts } = await lane.execute<SweepResult>(
      'sweepOrphans',
      { delete: true, graceMinutes: 0 },
      `sweep-orphans/${model}/${randomBytes(4).toString('hex')}`,
    );
    for (const name of ['deleted', 'leasedAgain', 'corrected'] as const) {
      campaign.tally.add(row, `sweep: ${name}`, counts[name]);
    }
  }
  const stragglers = await lane.settle(model);
  const orphans = await orphansOf(staged);
  return {
    orphans: orphans.length,
    findings: [
      ...(await checkAll(staged)),
      ...findingsOf('I2', [
        ...orphans.map(({ kind, name }) => `${kind} ${name} lives after ${sweeps} sweeps`),
        ...(await openLeases(staged, true)).map((id) => `${id} holds for nobody`),
      ]),
      ...findingsOf(
        'I5',
        stragglers.map((id) => `${id} did not end`),
      ),
    ],
  };
}

/** The leases of a model that are open; with `ofRun` those of what the run alone has bought. */
async function openLeases({ lane, model, key }: Staged, ofRun = false): Promise<string[]> {
  const query = `TaskQueue = "${lane.taskQueue}" AND ExecutionStatus = "Running" AND WorkflowType = "leaseResource"`;
  const kept = await lane.dependencies.registry.champion(model);
  const needed = [kept?.modelName, kept?.deployment?.name];
  const open: string[] = [];
  for await (const { workflowId } of lane.client.workflow.list({ query })) {
    if (!workflowId.includes(`/${model}`)) continue;
    const isOfRun = workflowId.includes(key) && !needed.some((name) => name && workflowId.endsWith(name));
    if (!ofRun || isOfRun) open.push(workflowId);
  }
  return open;
}
