import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { Campaign } from '../support/campaign.js';
import { checkModel, findingsOf } from '../support/invariants.js';
import type { Lane } from '../support/world.js';
import { createdJobs } from './runs.js';

const dayMs = 86_400_000;

/**
 * A schedule that was off for thirty days starts one run at most. Nobody waits thirty days here: their firings
 * are given to the server at once, by a backfill.
 */
export async function playThirtyDays(campaign: Campaign, lane: Lane): Promise<void> {
  const model = lane.newModel();
  const schedule = await createSchedule(lane, model, { cronExpressions: ['0 3 * * *'] });
  const end = new Date();
  const start = new Date(end.getTime() - 30 * dayMs);
  await schedule.backfill({ start, end, overlap: ScheduleOverlapPolicy.SKIP });
  const runs = await awaitRuns(lane, model, 20_000);
  await record(campaign, lane, model, 'schedule/thirty-days', runs);
  await schedule.delete();
}

/**
 * A schedule that fires every second is paused for eight and then goes on: what it missed is not made up for,
 * and while its first run is running it starts no other.
 */
export async function playPause(campaign: Campaign, lane: Lane): Promise<void> {
  const model = lane.newModel();
  await lane.setClock(60);
  const schedule = await createSchedule(lane, model, { intervals: [{ every: '1s' }] }, true);
  await sleep(8_000);
  await schedule.unpause();
  await sleep(4_000);
  await schedule.pause();
  const runs = await awaitRuns(lane, model, 20_000, 3600);
  await record(campaign, lane, model, 'schedule/paused', runs);
  await schedule.delete();
}

async function createSchedule(lane: Lane, model: string, spec: object, paused = false) {
  return lane.client.schedule.create({
    scheduleId: `campaign-${model}`,
    spec,
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1h' },
    state: { paused },
    action: {
      type: 'startWorkflow',
      workflowType: 'fineTune',
      workflowId: `contention/${model}/scheduled`,
      taskQueue: lane.taskQueue,
      args: [lane.smallRun(model)],
    },
  });
}

/** The workflow IDs of what the schedule has started, once all of it has ended. */
async function awaitRuns(lane: Lane, model: string, longestMs: number, clock?: number): Promise<string[]> {
  const deadline = Date.now() + longestMs;
  const query = `TaskQueue = "${lane.taskQueue}" AND WorkflowType = "fineTune"`;
  if (clock !== undefined) await lane.setClock(clock);
  for (;;) {
    const runs: string[] = [];
    let isRunning = false;
    for await (const { workflowId, status } of lane.client.workflow.list({ query })) {
      if (!workflowId.startsWith(`contention/${model}/`)) continue;
      runs.push(workflowId);
      isRunning ||= status.name === 'RUNNING';
    }
    if ((runs.length > 0 && !isRunning) || Date.now() > deadline) return runs;
    await sleep(200);
  }
}

async function record(
  campaign: Campaign,
  lane: Lane,
  model: string,
  played: string,
  runs: readonly string[],
): Promise<void> {
  const stragglers = await lane.settle(model);
  const jobs = (await createdJobs(lane)).filter(({ tags }) => tags['anneal:model'] === model);
  campaign.tally.add(played, 'runs', runs.length);
  campaign.tally.add(played, 'jobs', jobs.length);
  campaign.record(
    [
      ...findingsOf(
        'I1',
        runs.length === 1 && jobs.length === 1 ? [] : [`${runs.length} runs, ${jobs.length} jobs`],
      ),
      ...findingsOf(
        'I5',
        stragglers.map((id) => `${id} did not end`),
      ),
      ...(await checkModel(lane, model)),
    ],
    played,
  );
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
