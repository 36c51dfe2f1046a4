import { runKey } from '../../../src/activities/run-spec/resolve.js';
import type { ModelVersion } from '../../../src/domain/model-version.js';
import { type ActivityTrace, type ArmedKill, type KillPoint, killPoints } from '../support/kill-control.js';
import { randomFrom, sample } from '../support/random.js';
import { nameOf, type Path, paths } from './paths.js';

/** Kills the worker as soon as the run's history has this many events. */
interface EventPoint {
  readonly kind: 'event';
  readonly count: number;
  readonly label: string;
}

/** The worker kills itself in an activity of the run, or of a lease that belongs to it. */
interface ActivityPoint {
  readonly kind: KillPoint;
  readonly role: string;
  readonly activityType: string;
  /** Null in the lease of an earlier version: what came before in it is another case's story. */
  readonly activityId: string | null;
  readonly mutates: boolean;
  readonly label: string;
}

export type Point = EventPoint | ActivityPoint;

export const kinds = ['event', ...killPoints] as const;

/** A run, and what stood before it: enough to tell which workflow plays which part. */
export interface Identity {
  readonly model: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly versions: readonly ModelVersion[];
}

/** Prefixes of the IDs of the workflows that work for a run, by the part each plays. */
export function rolesOf({ model, workflowId, runId, versions }: Identity): ReadonlyMap<string, string> {
  const key = `${model}-${runKey({ workflowId, originalRunId: runId })}`;
  const roles = new Map([
    ['run', workflowId],
    ['lock', `lease/model/${model}`],
    ['lease/training-job', `lease/training-job/${key}`],
    ['lease/deployment', `lease/deployment/${key}`],
  ]);
  for (const { status, modelName, deployment } of versions) {
    if (status !== 'champion' && status !== 'previous') continue;
    roles.set(`former ${status}'s lease/training-job`, `lease/training-job/${modelName}`);
    if (deployment) roles.set(`former ${status}'s lease/deployment`, `lease/deployment/${deployment.name}`);
  }
  return roles;
}

/** What an undisturbed run went through, in order. */
export interface MeasuredPath {
  readonly path: Path;
  readonly events: readonly string[];
  readonly points: readonly Point[];
}

/** Every event of a history and every point in every activity of a run that nobody disturbed. */
export function measure(
  path: Path,
  events: readonly string[],
  traces: readonly ActivityTrace[],
  roles: ReadonlyMap<string, string>,
): MeasuredPath {
  const eventPoints = events.map(
    (label, index): Point => ({ kind: 'event', count: index + 1, label: `event ${index + 1} ${label}` }),
  );
  return { path, events, points: [...eventPoints, ...activityPoints(traces, roles)] };
}

interface MeasuredActivity {
  readonly role: string;
  readonly activityType: string;
  readonly activityId: string | null;
  readonly attempts: ActivityTrace[];
}

function activityPoints(
  traces: readonly ActivityTrace[],
  roles: ReadonlyMap<string, string>,
): ActivityPoint[] {
  return groupByActivity(traces, roles).flatMap(({ role, activityType, activityId, attempts }) => {
    const mutates = attempts.some(({ mutations }) => mutations.length > 0);
    const possible: Readonly<Record<KillPoint, boolean>> = {
      'before-call': true,
      'after-commit': mutates,
      'before-completion': attempts.some(({ ended }) => ended !== 'waiting'),
    };
    const which = activityId === null ? activityType : `${activityType} ${activityId}`;
    return killPoints
      .filter((kind) => possible[kind])
      .map((kind) => ({
        kind,
        role,
        activityType,
        activityId,
        mutates,
        label: `${kind} ${which} of ${role}`,
      }));
  });
}

/** In the order of their first attempts. */
function groupByActivity(
  traces: readonly ActivityTrace[],
  roles: ReadonlyMap<string, string>,
): MeasuredActivity[] {
  const groups = new Map<string, MeasuredActivity>();
  for (const trace of traces) {
    const role = [...roles].find(([, prefix]) => trace.workflowId.startsWith(prefix))?.[0];
    if (!role) continue;
    const { activityType } = trace;
    const activityId = role.startsWith('former') ? null : trace.activityId;
    const key = `${role} ${activityId ?? activityType}`;
    const group = groups.get(key) ?? { role, activityType, activityId, attempts: [] };
    group.attempts.push(trace);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** The kills of a case that the worker does to itself; those of unknown workflows are left out. */
export function toArmedKills(
  caseId: string,
  points: readonly Point[],
  roles: ReadonlyMap<string, string>,
): ArmedKill[] {
  return points.flatMap((point) => {
    const workflow = point.kind === 'event' ? undefined : roles.get(point.role);
    if (point.kind === 'event' || workflow === undefined) return [];
    const { activityType, activityId, kind, mutates } = point;
    const id = `${caseId} ${point.label}`;
    return [{ id, workflow, activityType, activityId: activityId ?? undefined, point: kind, mutates }];
  });
}

export interface CrashCase {
  readonly name: string;
  readonly affinity: string;
  readonly path: Path;
  readonly points: readonly Point[];
}

/** Few enough that a case is quick to play again, many enough that lifecycles are not most of the work. */
const killsInACase = 6;

/**
 * What a path does not share with an earlier one on the same target. Until they part, runs that end in
 * different ways are the same: their events are killed at once, with the first of them.
 */
export function withoutShared(measured: readonly MeasuredPath[]): MeasuredPath[] {
  return measured.map((mine, index) => {
    const earlier = measured.slice(0, index).filter(({ path }) => path.target === mine.path.target);
    const parting = Math.max(0, ...earlier.map(({ events }) => sharedEvents(mine.events, events)));
    const sharedActivities = mine.events
      .slice(0, parting)
      .filter((event) => event.startsWith('ActivityTaskScheduled')).length;
    const isShared = (point: Point) =>
      point.kind === 'event'
        ? point.count <= parting
        : point.role === 'run' && Number(point.activityId) <= sharedActivities;
    return { ...mine, points: mine.points.filter((point) => !isShared(point)) };
  });
}

function sharedEvents(mine: readonly string[], others: readonly string[]): number {
  const parted = mine.findIndex((event, index) => event !== others[index]);
  return parted < 0 ? mine.length : parted;
}

/** Cases that together cover every point, the kills of each spread over its lifecycle. */
export function allCases(measured: readonly MeasuredPath[]): CrashCase[] {
  return withoutShared(measured).flatMap(({ path, points }) => {
    const count = Math.ceil(points.length / killsInACase);
    return Array.from({ length: count }, (_, number) => ({
      name: `${nameOf(path)}/${number}`,
      affinity: path.affinity,
      path,
      points: points.filter((_, index) => index % count === number),
    }));
  });
}

/** One case for each path, with a kill of three of the four kinds. */
export function shortCases(measured: readonly MeasuredPath[], seed: number): CrashCase[] {
  return measured.map(({ path, points }) => {
    // The same whichever other paths are played.
    const number = paths.indexOf(path);
    const random = randomFrom(seed * paths.length + number);
    const wanted = kinds.filter((_, index) => index !== number % kinds.length);
    const chosen = wanted.flatMap((kind) =>
      sample(
        points.filter((point) => point.kind === kind),
        1,
        random,
      ),
    );
    return { name: `${nameOf(path)}/short`, affinity: path.affinity, path, points: chosen };
  });
}
