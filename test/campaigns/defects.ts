import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { CommandFailure } from '../../src/client/exit.js';
import { tableLines } from '../../src/client/table.js';
import { runScript, wholeNumber } from '../../src/client/trials/script.js';
import type { Addresses } from '../support/addresses.js';
import { startTestServers } from '../support/servers.js';
import { type Defect, defects } from './defects/catalogue.js';
import { ThrowAwayTree } from './defects/tree.js';
import { playControls, playDefect, type TrialResult } from './defects/trial.js';
import { promptTasks } from './support/world.js';

export interface DefectsOptions {
  readonly seed: number;
  readonly short: boolean;
  /** A defect's name or a part of it, or several with commas. */
  readonly only: string | null;
  /** Servers that run already. */
  readonly addresses?: Addresses | null;
  readonly signal?: AbortSignal;
  readonly print?: (line: string) => void;
}

/**
 * Spoils a copy of the clone with one deliberate defect after another, and has the campaigns find each: the
 * same cases must pass in the sound copy and be violated in the spoiled one.
 */
export async function playDefects(options: DefectsOptions): Promise<TrialResult[]> {
  const { seed, addresses = null, signal = new AbortController().signal, print = () => {} } = options;
  const servers = addresses ? null : await startTestServers({ temporalArguments: promptTasks, signal });
  const tree = ThrowAwayTree.create();
  try {
    const surroundings = { tree, addresses: addresses ?? (servers as Addresses), seed, signal, print };
    const selected = chosen(options);
    const control = await playControls(
      surroundings,
      selected.map(({ detector }) => detector),
    );
    const results: TrialResult[] = [];
    for (const defect of selected) {
      const problem = control(defect.detector);
      const result = problem
        ? { defect, verdict: 'unfit' as const, found: problem, seconds: 0 }
        : await playDefect(surroundings, defect);
      print(`${defect.name}: ${result.verdict}, ${result.found}`);
      results.push(result);
    }
    return results;
  } finally {
    tree.remove();
    await servers?.close();
  }
}

/** The quickest to be found: they need no lifecycle, and share a control. */
const quickest = ['promote-without-lock', 'promotion-not-atomic'];

function chosen({ short, only }: DefectsOptions): readonly Defect[] {
  const parts = only?.split(',');
  if (parts) return defects.filter(({ name }) => parts.some((part) => name.includes(part)));
  return short ? defects.filter(({ name }) => quickest.includes(name)) : defects;
}

export function tableOf(results: readonly TrialResult[]): string[] {
  const rows = results.map(({ defect, verdict, seconds, found }) => [
    defect.name,
    `${defect.detector.campaign} ${defect.detector.only}`,
    verdict === 'detected' ? (found.split(' ')[0] ?? '') : verdict.toUpperCase(),
    seconds.toFixed(0),
  ]);
  return tableLines([['defect', 'campaign and cases', 'detected by', 'seconds'], ...rows]);
}

const script = process.argv[1];
if (script && realpathSync(script) === fileURLToPath(import.meta.url)) {
  const command = new Command('campaign:defects')
    .description(
      'Plants one defect after another into a copy of the source, and has the campaigns find them.',
    )
    .option('--seed <number>', 'what the campaigns choose derives from it', wholeNumber(0, 2 ** 31), 1)
    .option('--short', 'two defects that are quick to be found')
    .option('--only <defect>', 'one defect: a part of its name; several with commas');
  await runScript<{ seed: number; short?: true; only?: string }>(command, async (given, signal) => {
    const print = (line: string) => console.log(line);
    const startedMs = performance.now();
    const results = await playDefects({
      seed: given.seed,
      short: given.short ?? false,
      only: given.only ?? null,
      signal,
      print,
    });
    for (const line of ['', ...tableOf(results), '']) print(line);
    const missed = results.filter(({ verdict }) => verdict !== 'detected');
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
    print(
      `campaign:defects, seed ${given.seed}: ${results.length} defects in ${seconds} s, ${missed.length} not detected`,
    );
    if (missed.length > 0 || results.length === 0)
      throw new CommandFailure(`${missed.length} defects were not detected.`);
  });
}
