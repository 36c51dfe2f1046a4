import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { RunSpec } from '../../../src/domain/run-spec.js';
import type { Ending } from '../../support/service.js';
import type { Campaign, CampaignCase } from '../support/campaign.js';
import { checkModel, findingsOf } from '../support/invariants.js';
import type { Lane } from '../support/world.js';
import type { Outages } from './outages.js';

export const ends = ['promoted', 'rejected', 'cancelled'] as const;
export type End = (typeof ends)[number];

/** One lifecycle of a model of its own. */
export interface Lifecycle {
  readonly end: End;
  readonly target: 'bedrock-on-demand' | 'bedrock-provisioned';
  /** When it is cancelled, if it is. */
  readonly cancelAfterMs: number;
}

/** Several lifecycles side by side on one worker. */
export interface Bunch extends CampaignCase {
  readonly lifecycles: readonly Lifecycle[];
}

const longestRunMs = 240_000;

export async function playBunch(
  campaign: Campaign,
  outages: Outages,
  { name, lifecycles }: Bunch,
  lane: Lane,
): Promise<void> {
  const played = lifecycles.map((lifecycle) => playLifecycle(campaign, outages, name, lifecycle, lane));
  // A lane is not replaced in the middle of an outage: what went wrong is said, and it goes on with the next.
  for (const end of await Promise.allSettled(played)) {
    if (end.status === 'rejected') campaign.reportBroken(name, String(end.reason));
  }
  campaign.signal.throwIfAborted();
  const failures = lane.workers?.failures ?? [];
  for (const failure of failures) campaign.reportBroken(name, `a worker did not come back: ${failure}`);
}

async function playLifecycle(
  campaign: Campaign,
  outages: Outages,
  played: string,
  lifecycle: Lifecycle,
  lane: Lane,
): Promise<void> {
  const { end, target, cancelAfterMs } = lifecycle;
  const { tally } = campaign;
  const row = `${target} ${end}`;
  const model = lane.newModel();
  const persist = <T>(work: () => Promise<T>) => persistently(work, campaign.signal);
  const spec = lane.smallRun(model, {
    deployment: { target },
    validation: { samples: 1, ...(end === 'rejected' && { policy: 'unreachable' }) },
    // Who is to be cancelled waits for somebody who never comes, or is cancelled on its way there.
    ...(end === 'cancelled' && { approval: 'before-promotion' as const }),
  });
  const handle = await persist(() => startOnce(lane, model, spec));
  if (end === 'cancelled') {
    await sleep(cancelAfterMs);
    await persist(() => handle.cancel());
  }
  const ending = await persist(() => lane.endOf(handle));
  const stragglers = await persist(() => lane.settle(model, longestRunMs));
  const findings = await outages.calm(() => persist(() => checkModel(lane, model)));
  const live = await persist(async () => {
    const kept = (await lane.dependencies.registry.versions(model)).length;
    const left = (await lane.live()).filter(({ name }) => name.startsWith(`${model}-`));
    return end === 'promoted' ? [] : left.map((each) => `${each.name} bills for nobody (${kept} versions)`);
  });
  tally.add(row, 'lifecycles');
  tally.add(row, 'ended as they should', wrongEnd(end, ending) === null ? 1 : 0);
  const wrong = wrongEnd(end, ending);
  campaign.record(
    [
      ...findings,
      ...findingsOf('I2', live),
      ...findingsOf('I5', [
        ...(wrong === null ? [] : [`${model}: ${wrong}`]),
        ...stragglers.map((id) => `${id} did not end`),
      ]),
    ],
    played,
  );
}

/** Starts a run once, although the reply to its start may be lost. */
async function startOnce(lane: Lane, model: string, spec: RunSpec): Promise<WorkflowHandle> {
  const workflowId = `outages/${model}/run`;
  try {
    return await lane.start('fineTune', spec, workflowId);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return lane.client.workflow.getHandle(workflowId);
  }
}

function wrongEnd(end: End, ending: Ending): string | null {
  const found = ending.closed === 'completed' ? ending.result.outcome : ending.closed;
  if (found === end) return null;
  const said = ending.closed === 'completed' ? '' : ` (${ending.type}: ${ending.message})`;
  return `the run should have been ${end} and was ${found}${said}`;
}

/** What a client does whose servers come and go: it asks again. */
async function persistently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const deadline = Date.now() + longestRunMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (Date.now() > deadline) throw error;
      await sleep(300);
    }
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
