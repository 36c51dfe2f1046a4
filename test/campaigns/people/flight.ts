import type { SandboxFaults } from '../../../src/sandbox/admin.js';
import type { FaultScript } from '../../../src/sandbox/faults/script.js';
import type { Campaign } from '../support/campaign.js';
import { type Finding, findingsOf } from '../support/invariants.js';
import type { Lane } from '../support/world.js';
import { checkAll, creates, orphansOf } from './checks.js';
import { afterEnd, report } from './play.js';
import type { Creation, Flight, FlightCase } from './points.js';
import { type Champions, type Staged, stageRun, watchSeconds } from './stage.js';

/** A create lands after a lease has noticed that its run is gone, and before the lease looks again. */
const heldMs = (watchSeconds + 2.5) * 1000;
/** Longer than the pause after which a process takes itself for stale. */
const asleepMs = 6_500;
/** How long a process that woke up may need to send what it was about to send. */
const awakeMs = 4_000;

/** Three tries of the client, each given up after thirty seconds, and some more. */
const lastTryMs = 100_000;

const operations: Readonly<Record<Creation, { find: string; create: string }>> = {
  job: { find: 'GetModelCustomizationJob', create: 'CreateModelCustomizationJob' },
  deployment: { find: 'GetCustomModelDeployment', create: 'CreateCustomModelDeployment' },
  throughput: { find: 'GetProvisionedModelThroughput', create: 'CreateProvisionedModelThroughput' },
};

function faultsFor(creation: Creation, flight: Flight, key: string): FaultScript {
  const match = `${key}-${creation === 'job' ? 't' : 'd'}1`;
  const { find, create } = operations[creation];
  switch (flight) {
    case 'slow':
      return { faults: [{ operation: create, nth: 1, match, fault: { kind: 'slow', delayMs: heldMs } }] };
    case 'lostReply':
      return {
        faults: [{ operation: create, nth: 1, match, fault: { kind: 'timeoutAfterCommit', holdMs: heldMs } }],
      };
    case 'hanging':
      // Twice it hears nothing until it gives up; the third time the create would come through.
      return {
        faults: [
          { operation: create, nth: [1, 2], match, fault: { kind: 'timeoutBefore', holdMs: 120_000 } },
        ],
      };
    case 'zombie':
      // It stops between its look and its create.
      return { faults: [{ operation: find, nth: 1, match, fault: { kind: 'slow', delayMs: 1_000 } }] };
  }
}

/** Cancels or terminates a run while one of its creates is under way. */
export async function playFlight(
  campaign: Campaign,
  champions: Champions,
  played: FlightCase,
  lane: Lane,
): Promise<void> {
  const { scenario, creation, flight, action } = played;
  const { model, spec } = await champions.prepare(lane, scenario);
  const row = `in flight ${flight} ${action}`;
  const staged = await stageRun(lane, model, spec, (key) => faultsFor(creation, flight, key));
  campaign.tally.add(row, 'runs');
  try {
    if (!(await awaitFired(lane))) {
      campaign.tally.add(row, 'not reached');
      campaign.print(`  not reached: ${played.name}`);
    }
    const isLanding = action === 'terminate' && (flight === 'slow' || flight === 'lostReply');
    const timing = { isWatched: flight !== 'zombie', landsMs: isLanding ? heldMs : 0 };
    const end = () => afterEnd(campaign, row, staged, action, timing);
    const aftermath = await (flight === 'zombie'
      ? besideZombie(lane, staged, end)
      : flight === 'hanging'
        ? whileHanging(lane, staged, end)
        : end());
    report(campaign, champions, played, { ...aftermath, lane, row });
  } finally {
    await lane.setFaults(null);
  }
}

type Aftermath = Awaited<ReturnType<typeof afterEnd>>;

/** Stops the worker in the middle of its create, lets another go on, and wakes it when all is over. */
async function besideZombie(lane: Lane, staged: Staged, end: () => Promise<Aftermath>): Promise<Aftermath> {
  const { workers } = lane;
  if (!workers) throw new Error('A zombie needs worker processes');
  workers.stop();
  const stoppedMs = Date.now();
  const zombie = await workers.takeOver();
  try {
    const aftermath = await end();
    const before = creates(await lane.ledger(), staged).length;
    await sleep(Math.max(0, stoppedMs + asleepMs - Date.now()));
    zombie.wake();
    await sleep(awakeMs);
    const late = creates(await lane.ledger(), staged).length - before;
    const orphans = await orphansOf(staged);
    const findings: Finding[] = [
      ...aftermath.findings,
      ...findingsOf('I1', late === 0 ? [] : [`the process that woke up created ${late} more`]),
      ...findingsOf(
        'I2',
        orphans.map(({ name }) => `${name} lives since the process woke up`),
      ),
      ...(await checkAll(staged)),
    ];
    return { findings, orphans: Math.max(orphans.length, aftermath.orphans) };
  } finally {
    zombie.end();
  }
}

/** Looks once more when a client that went on by itself would have sent its last create. */
async function whileHanging(lane: Lane, staged: Staged, end: () => Promise<Aftermath>): Promise<Aftermath> {
  const startedMs = Date.now();
  const aftermath = await end();
  const before = creates(await lane.ledger(), staged).length;
  await sleep(Math.max(0, startedMs + lastTryMs - Date.now()));
  const late = creates(await lane.ledger(), staged).length - before;
  const orphans = await orphansOf(staged);
  const findings: Finding[] = [
    ...aftermath.findings,
    ...findingsOf('I1', late === 0 ? [] : [`the client went on by itself and created ${late} more`]),
    ...findingsOf(
      'I2',
      orphans.map(({ kind, name }) => `${kind} ${name} lives since the client went on by itself`),
    ),
    ...(await checkAll(staged)),
  ];
  return { findings, orphans: Math.max(orphans.length, aftermath.orphans) };
}

async function awaitFired({ endpoint }: Lane): Promise<boolean> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const faults = (await (await fetch(`${endpoint}/_anneal/faults`)).json()) as SandboxFaults;
    if (faults.faults.some(({ fired }) => fired > 0)) return true;
    await sleep(20);
  }
  return false;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
