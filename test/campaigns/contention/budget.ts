import type { WorkflowHandle } from '@temporalio/client';
import type { RunStatus } from '../../../src/domain/run-state.js';
import { loadConfig } from '../../../src/workers/config.js';
import { createDependencies } from '../../../src/workers/dependencies.js';
import type { Campaign } from '../support/campaign.js';
import { checkModel, findingsOf } from '../support/invariants.js';
import type { Lane } from '../support/world.js';
import { createdJobs, inBatches, startRun } from './runs.js';

/** An hour of the cloud in a second; and an hour of the cloud in an hour. */
const quick = 3600;
const real = 1;

/** So many runs have room in the account's budget. */
const room = 3;

/**
 * Starts many runs of different models at once against a budget of the account for three. Nobody gets on with
 * training before everybody has asked, or what one did not spend would do for a fourth.
 */
export async function playBudget(campaign: Campaign, lane: Lane, starts: number): Promise<void> {
  const played = 'budget';
  const { tally } = campaign;
  const each = await estimateOf(lane);
  await lane.dependencies.budgets.set({
    scope: 'account',
    name: '*',
    limitUsd: (room + 0.5) * each,
    period: 'total',
  });
  await lane.setClock(real);
  const models = Array.from({ length: starts }, () => lane.newModel());
  const handles = await Promise.all(models.map((model) => startRun(lane, model, { budgetUsd: 1000 })));
  const asked = await Promise.all(
    handles.map((handle) => awaitEither(handle, ({ awaiting, job }) => awaiting !== null || job?.id != null)),
  );
  const waiting = handles.filter((_, index) => asked[index]?.awaiting);
  const named = asked.filter(({ awaiting }) => awaiting?.includes('the budget of the account is'));
  const jobsBefore = await createdJobs(lane);
  const [standing] = await lane.dependencies.budgets.list();
  const reservedUsd = standing?.reservedUsd ?? 0;

  await lane.setClock(quick);
  await inBatches(waiting, 20, (handle) =>
    handle.executeUpdate('reject', { args: [{ by: 'the campaign' }] }),
  );
  const endings = await Promise.all(handles.map((handle) => lane.endOf(handle)));
  const outcomes = endings.map((ending) =>
    ending.closed === 'completed' ? String(ending.result.outcome) : `${ending.closed} ${ending.message}`,
  );
  const promoted = outcomes.filter((outcome) => outcome === 'promoted').length;
  const declined = outcomes.filter((outcome) => outcome === 'declined').length;
  tally.add('budget', 'runs', starts);
  tally.add('budget', 'promoted', promoted);
  tally.add('budget', 'waited for approve', waiting.length);
  tally.add('budget', 'declined', declined);
  const stragglers = (await Promise.all(models.map((model) => lane.settle(model)))).flat();
  const odd = outcomes.filter((outcome) => outcome !== 'promoted' && outcome !== 'declined');
  const bought = await createdJobs(lane);
  campaign.record(
    [
      ...findingsOf('I5', [
        ...odd.map((outcome) => `a run ended as ${outcome}`),
        ...(promoted === room ? [] : [`${promoted} runs were promoted, not ${room}`]),
        ...(declined === starts - room ? [] : [`${declined} runs were declined, not ${starts - room}`]),
        ...(named.length === waiting.length ? [] : ['a run waits without naming the budget of the account']),
        ...stragglers.map((id) => `${id} did not end`),
      ]),
      ...findingsOf('I1', [
        ...(jobsBefore.length === room ? [] : [`${jobsBefore.length} jobs were bought while others waited`]),
        ...(bought.length === room ? [] : [`${bought.length} jobs were bought in all, not ${room}`]),
        ...(reservedUsd <= (room + 0.5) * each
          ? []
          : [`${reservedUsd} dollars were reserved, more than the limit`]),
      ]),
    ],
    played,
  );
  for (const model of models) campaign.record(await checkModel(lane, model), played);
  await lane.dependencies.budgets.remove('account', '*');
}

/** What one run is estimated to cost: a run says so that has no budget at all. */
async function estimateOf(lane: Lane): Promise<number> {
  const handle = await startRun(lane, lane.newModel(), { budgetUsd: 0 });
  const { awaiting } = await lane.awaitStatus(handle, (status) => status.awaiting !== null);
  await handle.executeUpdate('reject');
  await lane.endOf(handle);
  return Number(/estimate of \$([\d.]+)/.exec(awaiting ?? '')?.[1]);
}

/** As `awaitStatus` of the lane, at a pace at which a hundred can wait, and for as long as they need. */
async function awaitEither(
  handle: WorkflowHandle,
  condition: (status: RunStatus) => boolean,
): Promise<RunStatus> {
  const deadline = Date.now() + 300_000;
  for (;;) {
    // A hundred ask one worker: some have to ask again.
    const status = await handle.query<RunStatus>('status').catch(() => null);
    if (status !== null && condition(status)) return status;
    if (Date.now() > deadline) throw new Error(`Never came true; last status: ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** The same without runs: processes of their own reserve at the very same moment, so that only the lock helps. */
export async function playBudgetByWriters(campaign: Campaign, lane: Lane, turns: number): Promise<void> {
  const writers = await Promise.all(
    Array.from({ length: 8 }, () => createDependencies(loadConfig({ ...lane.environment }))),
  );
  const wrong: string[] = [];
  try {
    for (let turn = 0; turn < turns; turn += 1) {
      const model = lane.newModel();
      const name = { scope: 'model', name: model } as const;
      await lane.dependencies.budgets.set({ ...name, limitUsd: room + 0.5, period: 'total' });
      const reserved = await Promise.all(
        writers.map(({ budgets }, writer) => {
          const author = { workflowId: `contention/${model}/${writer}`, runId: String(writer) };
          const money = { estimateUsd: 1, budgetUsd: null, approvedBy: null };
          return budgets.reserve({ author, executionRunId: author.runId, model, scheduleId: null, ...money });
        }),
      );
      const granted = reserved.filter((each) => each.reserved).length;
      campaign.tally.add('budget, by writers', 'runs', writers.length);
      if (granted !== room) wrong.push(`${granted} were granted what is enough for ${room}`);
    }
    campaign.record(findingsOf('I1', wrong), 'budget/writers');
  } finally {
    await Promise.all(writers.map((each) => each.close()));
  }
}
