import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResolvedRunSpec, RunSpec } from '../../domain/run-spec.js';
import type { RunResult, RunStatus } from '../../domain/run-state.js';
import type { LedgerEntry, SandboxFaults, SandboxResource, SandboxState } from '../../sandbox/admin.js';
import type { CheckedScript } from '../../sandbox/faults/script.js';
import type { Stage } from '../demo/act.js';
import type { Followed } from '../demo/follow-run.js';
import { homeAt } from '../stack/home.js';
import { StackInterrupted } from '../stack/stack-error.js';
import { temporalCommandLine } from '../temporal-command.js';
import { runTrial, type Trial } from '../trials/trial.js';
import { type ShortenedDeadline, shortenDeadlines, toRehearsedSpec } from './shorten.js';

export interface RehearsalOptions {
  readonly spec: RunSpec;
  /** The same spec with every default, as it would be on this machine. */
  readonly resolved: ResolvedRunSpec;
  /** What the local cloud is told to do wrong; null for nothing. */
  readonly faults: CheckedScript | null;
  readonly readings: string | undefined;
  /** Seconds of the local cloud's time in a real second. */
  readonly clockScale: number;
  /** The rehearsal's stack is started afresh in this folder's `rehearsal/`. */
  readonly home: string | undefined;
  /** Approves where the spec asks a person. */
  readonly approve: boolean;
  readonly signal: AbortSignal;
  /** What the person sees while the run goes on. */
  readonly print: (line: string) => void;
}

/** What came of playing one lifecycle. */
export interface Rehearsal {
  /** False where it had to be given up while it still ran. */
  readonly ended: boolean;
  /** An outcome, a failure type, or how the workflow closed. */
  readonly outcome: string;
  /** What the failure says; null where there is none. */
  readonly failure: string | null;
  readonly result: RunResult | null;
  readonly cloudHours: number;
  readonly seconds: number;
  /** What the local cloud has charged for all of it. */
  readonly spendUsd: number;
  /** Creates in the local cloud's ledger, by kind. */
  readonly bought: Readonly<Record<string, number>>;
  readonly firedFaults: SandboxFaults['log'];
  readonly startedAt: string;
  readonly champion: readonly SandboxResource[];
  /** What still bills or trains, and is not the champion's. */
  readonly leftBilling: readonly SandboxResource[];
}

const environment = {
  ANNEAL_WAITING_SECONDS: '0.5,1,1',
  ANNEAL_LEASE_WATCH_SECONDS: '2',
  ANNEAL_LEASE_LOOK_AGAIN_SECONDS: '3',
};
/** Until it trains, a run waits for no cloud: its time must not fly while rows are read. */
const preparationClockScale = 60;
/** Beside its deadlines, a run may take so long before it is given up. */
const patienceSeconds = 180;
/** How long leases and undos may take after the run has closed. */
const settlingSeconds = 60;

/** Plays one lifecycle of a run spec, from an empty cloud to its end, on a stack of its own. */
export async function rehearse(options: RehearsalOptions): Promise<Rehearsal> {
  const { spec, readings, clockScale, signal, print } = options;
  let rehearsal: Rehearsal | null = null;
  // A trial watches its signal for as long as the process lives, unless it is over.
  const over = new AbortController();
  const trial = {
    name: 'rehearsal',
    home: join(homeAt(options.home).path, 'rehearsal'),
    recipe: spec.recipe,
    stack: { clockScale: Math.min(clockScale, preparationClockScale), readings, environment },
    signal: AbortSignal.any([signal, over.signal]),
    print,
    printRun: waitsOnce(print),
  };
  try {
    await runTrial(trial, async (running) => {
      rehearsal = await play(running, options);
    });
  } catch (error) {
    throw signal.aborted ? new StackInterrupted() : error;
  } finally {
    over.abort();
  }
  if (!rehearsal) throw new Error('The rehearsal ended without a result.');
  return rehearsal;
}

async function play({ stack, stage }: Trial, options: RehearsalOptions): Promise<Rehearsal> {
  const { spec, resolved, clockScale, print } = options;
  const shortened = shortenDeadlines(resolved.deadlines, clockScale);
  print(`\n  Web UI while it lasts: ${stack.uiUrl}`);
  print(`  Deadlines are shortened with the clock: ${shortened.map(deadlineText).join(', ')}.\n`);
  if (options.faults) await admin(stage, 'faults', 'PUT', JSON.stringify(options.faults));
  const { time: startedAt } = await stage.cloudState();
  const startedAtMs = performance.now();
  const followed = await follow(
    stage,
    toRehearsedSpec(spec, shortened),
    patienceOf(options, shortened),
    options,
  );
  const seconds = (performance.now() - startedAtMs) / 1000;
  const ended = await stage.cloudState();
  const { champion, leftBilling } = await settle(stage, followed, options.signal);
  return {
    ended: followed !== null,
    outcome: outcomeOf(followed),
    failure: followed?.failure ?? null,
    result: followed?.result ?? null,
    cloudHours: (Date.parse(ended.time) - Date.parse(startedAt)) / 3_600_000,
    seconds,
    spendUsd: ended.usd,
    bought: countBought(await stage.ledger()),
    firedFaults: (await admin<SandboxFaults>(stage, 'faults', 'GET')).log,
    startedAt,
    champion,
    leftBilling,
  };
}

/** Follows the run to its end; null where that does not come in time. */
async function follow(
  stage: Stage,
  spec: RunSpec,
  patienceMs: number,
  { approve, print, signal, clockScale }: RehearsalOptions,
): Promise<Followed | null> {
  const workflowId = `rehearsal/${spec.model ?? spec.recipe}`;
  let asked: string | null = null;
  let isFast = false;
  const onStatus = async ({ awaiting, stage: at, job }: RunStatus) => {
    if (!isFast && (at === 'training' || job !== null)) {
      isFast = true;
      await admin(stage, 'clock', 'POST', JSON.stringify({ scale: clockScale }));
    }
    if (awaiting === null || awaiting === asked) return;
    asked = awaiting;
    const command = ['workflow', 'update', 'execute', '--workflow-id', workflowId, '--name', 'approve'];
    const args = [...command, '--input', '{"by":"the rehearsal"}'];
    if (approve) await stage.temporal.run(...args);
    else
      print(
        `\n  A person is asked (${awaiting}). In another terminal:\n  ${temporalCommandLine(stage.stack, args)}\n`,
      );
  };
  const following = stage.fineTune(workflowId, `Rehearsal of ${spec.model ?? spec.recipe}`, spec, onStatus);
  if (!Number.isFinite(patienceMs)) return following;
  const given = new AbortController();
  const patience = sleep(patienceMs, null, { signal: AbortSignal.any([given.signal, signal]) });
  try {
    return await Promise.race([following, patience]);
  } finally {
    given.abort();
    // What lost the race ends with the stack.
    following.catch(() => {});
    patience.catch(() => {});
  }
}

function patienceOf(
  { resolved, approve }: RehearsalOptions,
  shortened: readonly ShortenedDeadline[],
): number {
  if (resolved.approval !== 'none' && !approve) return Number.POSITIVE_INFINITY;
  const seconds = shortened.reduce((sum, { shortenedSeconds }) => sum + shortenedSeconds, patienceSeconds);
  return seconds * 1000;
}

function outcomeOf(followed: Followed | null): string {
  if (!followed) return 'did not end';
  return followed.result?.outcome ?? followed.failureType ?? followed.closed;
}

/** Waits until nothing but the champion's bills, as long as leases may take to see to it. */
async function settle(
  stage: Stage,
  followed: Followed | null,
  signal: AbortSignal,
): Promise<Pick<Rehearsal, 'champion' | 'leftBilling'>> {
  const deadline = performance.now() + (followed ? settlingSeconds * 1000 : 0);
  for (;;) {
    const found = toBilling(await stage.cloudState(), followed?.result ?? null);
    if (found.leftBilling.length === 0 || performance.now() >= deadline) return found;
    await sleep(500, null, { signal });
  }
}

/** Everything that costs money now, the champion's apart. Objects in a bucket are everybody's. */
export function toBilling(
  { resources }: Pick<SandboxState, 'resources'>,
  result: Pick<RunResult, 'billing'> | null,
): Pick<Rehearsal, 'champion' | 'leftBilling'> {
  const live = resources.filter(({ isLive, kind }) => isLive && kind !== 'bucket');
  const owned = (result?.billing ?? []).filter(({ owner }) => owner === 'champion');
  // There a resource is its kind and its name, in words.
  const isChampions = ({ name }: SandboxResource) =>
    owned.some((billing) => billing.resource.split(' ').includes(name));
  return {
    champion: live.filter(isChampions),
    leftBilling: live.filter((resource) => !isChampions(resource)),
  };
}

function countBought(ledger: readonly LedgerEntry[]): Record<string, number> {
  const kinds = ledger.filter(({ action, kind }) => action === 'create' && kind !== 'bucket');
  return Object.fromEntries(
    [...new Set(kinds.map(({ kind }) => kind))].map((kind) => [
      kind,
      kinds.filter((entry) => entry.kind === kind).length,
    ]),
  );
}

async function admin<T>({ stack }: Stage, what: string, method: string, body?: string): Promise<T> {
  const response = await fetch(`${stack.awsEndpoint}/_anneal/${what}`, { method, body: body ?? null });
  if (!response.ok) throw new Error(`The local cloud answers ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

function deadlineText({ name, seconds, shortenedSeconds }: ShortenedDeadline): string {
  const [, what = ''] = /^(.*?)(Hours|Minutes)$/.exec(name) ?? [];
  const given = seconds >= 7200 ? `${seconds / 3600} h` : `${seconds / 60} min`;
  return `${what} ${given} to ${Math.round(shortenedSeconds)} s`;
}

/** Prints each wait's message once, however often somebody looks: figures in it may change. */
function waitsOnce(print: (line: string) => void): (line: string) => void {
  const seen = new Set<string>();
  return (line) => {
    const [, message] = /^\s+look \d+: (.*)$/s.exec(line) ?? [];
    if (message === undefined) return print(line);
    const kind = message.replaceAll(/\d+(\.\d+)?/g, '#');
    if (seen.has(kind)) return;
    seen.add(kind);
    print(`    waits: ${message}`);
  };
}
