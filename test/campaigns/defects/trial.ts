import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Addresses } from '../../support/addresses.js';
import type { Defect, Detector } from './catalogue.js';
import type { PlayReport, PlayRequest } from './player.js';
import type { ThrowAwayTree } from './tree.js';

export interface TrialResult {
  readonly defect: Defect;
  /** `unfit`: the cases say nothing, because they are violated without the defect, or could not be played. */
  readonly verdict: 'detected' | 'survived' | 'unfit';
  /** What the campaign said, in a line. */
  readonly found: string;
  /** Of the play with the defect, the control not counted. */
  readonly seconds: number;
}

export interface TrialSurroundings {
  readonly tree: ThrowAwayTree;
  readonly addresses: Addresses;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** Far longer than any of the cases; a control plays many of them. */
const longestMs = 600_000;
const longestControlMs = 3_600_000;

/** What is wrong with the cases of a detector without any defect; null where nothing is. */
export type Control = (detector: Detector) => string | null;

/** Plays all detectors in the sound tree, each campaign once. */
export async function playControls(
  surroundings: TrialSurroundings,
  detectors: readonly Detector[],
): Promise<Control> {
  const groups = groupBy(detectors, keyOf);
  const problems = new Map<Detector, string | null>();
  for (const group of groups.values()) {
    const only = [...new Set(group.flatMap((detector) => detector.only.split(',')))].join(',');
    const request = { ...(group[0] as Detector), only };
    const report = await play(surroundings, request, 'no defect', { isControl: true });
    for (const detector of group) problems.set(detector, problemOf(detector, report));
  }
  return (detector) => problems.get(detector) ?? null;
}

/** Plays a defect's detector in the tree with the defect. */
export async function playDefect(surroundings: TrialSurroundings, defect: Defect): Promise<TrialResult> {
  const startedMs = performance.now();
  const report = await surroundings.tree.edited(defect.edits, () =>
    play(surroundings, defect.detector, defect.name, { isControl: false }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  if (typeof report === 'string') return { defect, verdict: 'unfit', found: report, seconds };
  const [first] = report.violations;
  if (!first) return { defect, verdict: 'survived', found: `${report.cases.length} cases passed`, seconds };
  return { defect, verdict: 'detected', found: first.message, seconds };
}

function keyOf({ campaign, short, seed }: Detector): string {
  return `${campaign} ${short} ${seed}`;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

function problemOf({ only }: Detector, report: PlayReport | string): string | null {
  if (typeof report === 'string') return report;
  const isOf = (name: string) => only.split(',').some((part) => name.includes(part));
  const violation = report.violations.find((each) => isOf(each.case) || each.case === 'the whole campaign');
  if (violation) return `violated without the defect: ${violation.message}`;
  return report.cases.some(isOf) ? null : 'there is no such case';
}

/** What the campaign reported, or why it came to nothing. */
async function play(
  { tree, addresses, seed, signal, print }: TrialSurroundings,
  detector: Detector,
  what: string,
  { isControl }: { isControl: boolean },
): Promise<PlayReport | string> {
  const { databaseUrl, temporalAddress, bundlePath, serversFolder } = addresses;
  const request: PlayRequest = {
    seed,
    ...detector,
    addresses: { databaseUrl, temporalAddress, bundlePath, serversFolder },
    lanes: isControl ? 2 : 1,
    isToTheEnd: isControl,
  };
  const requestPath = join(tree.path, '.anneal/request.json');
  const reportPath = join(tree.path, '.anneal/report.json');
  writeFileSync(requestPath, JSON.stringify(request));
  rmSync(reportPath, { force: true });
  print(`${what}: ${detector.campaign} ${detector.only}`);
  const player = ['--import', 'tsx', 'test/campaigns/defects/player.ts'];
  const timeout = isControl ? longestControlMs : longestMs;
  const playing = execa(
    process.execPath,
    [...player, '--request', requestPath, '--report', reportPath],
    // In a test's own environment it would look for vitest.
    {
      cwd: tree.path,
      env: { VITEST: undefined, INIT_CWD: undefined },
      all: true,
      reject: false,
      timeout,
      killSignal: 'SIGINT',
    },
  );
  const interrupt = () => playing.kill('SIGINT');
  signal.addEventListener('abort', interrupt);
  const { exitCode, all, timedOut } = await playing.finally(() =>
    signal.removeEventListener('abort', interrupt),
  );
  signal.throwIfAborted();
  for (const line of all.split('\n').filter((each) => /^( *\d+\/\d+ |VIOLATION)/.test(each)))
    print(`  ${line}`);
  if (timedOut) return `not over after ${timeout / 1000} s: ${lastLines(all)}`;
  if (exitCode !== 0) return `the campaign broke: ${lastLines(all)}`;
  return JSON.parse(readFileSync(reportPath, 'utf8')) as PlayReport;
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-4).join(' | ');
}
