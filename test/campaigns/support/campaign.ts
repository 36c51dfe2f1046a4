import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { CommandFailure } from '../../../src/client/exit.js';
import { tableLines } from '../../../src/client/table.js';
import { runScript, wholeNumber } from '../../../src/client/trials/script.js';
import { PermanentFailure } from '../../../src/domain/failures.js';
import type { Addresses } from '../../support/addresses.js';
import { type Finding, type Invariant, invariants } from './invariants.js';
import { Tally } from './tally.js';
import { type Lane, type LaneOptions, openWorld, type World } from './world.js';

export interface CampaignOptions {
  /** Whatever a campaign chooses derives from it. */
  readonly seed: number;
  readonly short: boolean;
  /** A case's number, or a part of its name: nothing else is played. */
  readonly only: string | null;
  readonly lanes: number;
  /** Servers that run already; the campaign starts its own where there are none. */
  readonly addresses?: Addresses | null;
  readonly signal?: AbortSignal;
  readonly print?: (line: string) => void;
}

export interface Violation {
  /** Null where a case broke for a reason that no invariant names. */
  readonly invariant: Invariant | null;
  readonly case: string;
  readonly message: string;
  /** The command that plays this case again. */
  readonly replay: string;
}

export interface CampaignReport {
  readonly name: string;
  readonly seed: number;
  readonly cases: number;
  /** How often each invariant was looked at. */
  readonly checked: Readonly<Record<Invariant, number>>;
  readonly violations: readonly Violation[];
  readonly tally: Tally;
  readonly seconds: number;
}

/** One thing to play, by a name that is stable for a seed, unique, and safe in a shell. */
export interface CampaignCase extends Affine {
  readonly name: string;
}

/** What shares an affinity is done on the same lane where that keeps no lane idle. */
export interface Affine {
  readonly affinity?: string;
}

/** What a campaign's body works with. */
export interface Campaign {
  readonly options: CampaignOptions;
  readonly world: World;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  print(line: string): void;
  /** Counts what a case found; violations are reported at the end. */
  record(findings: readonly Finding[], played: CampaignCase | string): void;
  /** Reports what no invariant names. */
  reportBroken(played: CampaignCase | string, message: string): void;
  /** Works on all items, side by side on lanes that later cases use again; the first error ends it. */
  onLanes<Item extends Affine, Result>(
    items: readonly Item[],
    lane: LaneOptions,
    work: (item: Item, lane: Lane) => Promise<Result>,
  ): Promise<Result[]>;
  /**
   * Plays cases on several lanes side by side, each case on one lane. With `only`, just those named; an error
   * that `play` throws is a violation, and the lane is then replaced by a new one.
   */
  playCases<Case extends CampaignCase>(
    cases: readonly Case[],
    lane: LaneOptions,
    play: (played: Case, lane: Lane) => Promise<void>,
  ): Promise<void>;
}

export interface CampaignDefinition {
  /** As in `npm run campaign:<name>`. */
  readonly name: string;
  readonly description: string;
  readonly defaultLanes?: number;
  /** What `--short` means, for the help. */
  readonly short: string;
}

export type CampaignFunction = ((options: CampaignOptions) => Promise<CampaignReport>) & {
  readonly definition: CampaignDefinition;
};

/** Makes a campaign that can be run by a script (`runCampaign`) and by a test (by calling it). */
export function defineCampaign(
  definition: CampaignDefinition,
  body: (campaign: Campaign) => Promise<void>,
): CampaignFunction {
  const run = async (options: CampaignOptions): Promise<CampaignReport> => {
    const startedMs = performance.now();
    const campaign = new RunningCampaign(definition, options);
    try {
      await campaign.run(body);
    } catch (error) {
      for (const line of reportLines(campaign.report(startedMs))) campaign.print(line);
      throw error;
    }
    return campaign.report(startedMs);
  };
  return Object.assign(run, { definition });
}

interface CommandLine {
  readonly seed: number;
  readonly short?: true;
  readonly only?: string;
  readonly lanes: number;
}

/** Runs the campaign as a command, where `module` is what Node was started with; exits with 1 on a violation. */
export async function runCampaign(module: string, campaign: CampaignFunction): Promise<void> {
  const script = process.argv[1];
  if (!script || realpathSync(script) !== fileURLToPath(module)) return;
  const { definition } = campaign;
  const command = new Command(`campaign:${definition.name}`)
    .description(definition.description)
    .option('--seed <number>', 'everything chosen derives from it', wholeNumber(0, 2 ** 31), 1)
    .option('--short', definition.short)
    .option('--only <case>', 'play one case: its number, or a part of its name')
    .option(
      '--lanes <number>',
      'cases played side by side',
      wholeNumber(1, 32),
      definition.defaultLanes ?? 4,
    );
  await runScript<CommandLine>(command, async ({ seed, short, only, lanes }, signal) => {
    const print = (line: string) => console.log(line);
    const options = { seed, short: short ?? false, only: only ?? null, lanes, signal, print };
    const report = await campaign(options);
    for (const line of reportLines(report)) print(line);
    if (report.violations.length > 0) throw new CommandFailure(`${report.violations.length} violations.`);
  });
}

export function reportLines(report: CampaignReport): string[] {
  const { checked, violations, tally, name, seed, cases, seconds } = report;
  const rows = (Object.keys(invariants) as Invariant[]).map((invariant) => [
    invariant,
    invariants[invariant],
    String(checked[invariant]),
    String(violations.filter((violation) => violation.invariant === invariant).length),
  ]);
  return [
    '',
    ...tally.lines(),
    '',
    ...tableLines([['', 'invariant', 'checked', 'violations'], ...rows]),
    '',
    ...violations.flatMap(({ invariant, case: played, message, replay }) => [
      `VIOLATION ${invariant ?? '(broken)'} in ${played}: ${message}`,
      `  again: ${replay}`,
    ]),
    `campaign:${name}, seed ${seed}: ${cases} cases in ${seconds.toFixed(0)} s, ${violations.length} violations`,
  ];
}

interface IdleLane {
  readonly options: LaneOptions;
  readonly affinity: string | undefined;
  readonly lane: Lane;
}

class RunningCampaign implements Campaign {
  readonly tally = new Tally();
  readonly signal: AbortSignal;
  #world: World | null = null;
  #cases = 0;
  readonly #offered = new Set<string>();
  readonly #idleLanes: IdleLane[] = [];
  readonly #checked = Object.fromEntries(Object.keys(invariants).map((each) => [each, 0])) as Record<
    Invariant,
    number
  >;
  readonly #violations: Violation[] = [];

  constructor(
    private readonly definition: CampaignDefinition,
    readonly options: CampaignOptions,
  ) {
    this.signal = options.signal ?? new AbortController().signal;
  }

  get world(): World {
    if (!this.#world) throw new Error('The campaign has not started');
    return this.#world;
  }

  async run(body: (campaign: Campaign) => Promise<void>): Promise<void> {
    this.#world = await openWorld(this.options.addresses ?? null, this.signal);
    try {
      await Promise.race([body(this), interruption(this.signal)]);
      if (this.options.only !== null && this.#cases === 0) throw this.#nothingPlayed();
      this.print('looking for secrets at rest');
      const { files, bytes, leaks } = await this.#world.scanForSecrets();
      for (const leak of leaks) this.#violate('I7', 'the whole campaign', leak);
      this.#checked.I7 += files;
      this.print(`  ${files} files, ${(bytes / 1e6).toFixed(0)} MB`);
    } finally {
      const isToBeKept = this.#violations.length > 0;
      await this.#world.close(isToBeKept);
      if (isToBeKept) this.print(`The logs of the workers are kept in ${this.#world.folder}`);
    }
  }

  report(startedMs: number): CampaignReport {
    return {
      name: this.definition.name,
      seed: this.options.seed,
      cases: this.#cases,
      checked: this.#checked,
      violations: this.#violations,
      tally: this.tally,
      seconds: (performance.now() - startedMs) / 1000,
    };
  }

  print(line: string): void {
    this.options.print?.(line);
  }

  record(findings: readonly Finding[], played: CampaignCase | string): void {
    for (const { invariant, violation } of findings) {
      this.#checked[invariant] += 1;
      if (violation !== null) this.#violate(invariant, nameOf(played), violation);
    }
  }

  reportBroken(played: CampaignCase | string, message: string): void {
    this.#violate(null, nameOf(played), message);
  }

  async onLanes<Item extends Affine, Result>(
    items: readonly Item[],
    options: LaneOptions,
    work: (item: Item, lane: Lane) => Promise<Result>,
  ): Promise<Result[]> {
    const results = new Map<Item, Result>();
    await this.#sideBySide(items, options, async (item, takeLane) => {
      results.set(item, await work(item, await takeLane()));
      return true;
    });
    return items.map((item) => results.get(item) as Result);
  }

  async playCases<Case extends CampaignCase>(
    cases: readonly Case[],
    options: LaneOptions,
    play: (played: Case, lane: Lane) => Promise<void>,
  ): Promise<void> {
    const selected = this.#selected(cases);
    for (const { name } of cases) this.#offered.add(name);
    let done = 0;
    await this.#sideBySide(selected, options, async (played, takeLane) => {
      const startedMs = performance.now();
      const isSound = await takeLane()
        .then((lane) => play(played, lane))
        .then(() => true)
        .catch((error: unknown) => {
          if (this.signal.aborted) throw error;
          this.reportBroken(played, error instanceof Error ? (error.stack ?? error.message) : String(error));
          return false;
        });
      this.#cases += 1;
      done += 1;
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      this.print(`${String(done).padStart(4)}/${selected.length}  ${played.name}  ${seconds} s`);
      return isSound;
    });
  }

  /** `work` returns false where its lane is not to be used again: what is left in it is nobody's business. */
  async #sideBySide<Item extends Affine>(
    items: readonly Item[],
    options: LaneOptions,
    work: (item: Item, takeLane: () => Promise<Lane>) => Promise<boolean>,
  ): Promise<void> {
    const queue = [...items];
    const affinities = [...new Set(items.map(({ affinity }) => affinity))];
    const workQueue = async (number: number) => {
      let affinity = affinities[number % affinities.length];
      let lane: Promise<Lane> | null = null;
      for (let item = takeFrom(queue, affinity); item; item = takeFrom(queue, affinity)) {
        this.signal.throwIfAborted();
        affinity = item.affinity;
        const takeLane = () => {
          lane ??= this.#takeLane(options, affinity);
          return lane;
        };
        if (await work(item, takeLane)) continue;
        // Whatever is left in it goes on working, and would take time from the others.
        await closeQuietly(this.world, lane);
        lane = null;
      }
      const idle = await (lane as Promise<Lane> | null);
      if (idle) this.#idleLanes.push({ options, affinity, lane: idle });
    };
    const lanes = Math.min(this.options.lanes, items.length);
    await Promise.all(Array.from({ length: lanes }, (_, number) => workQueue(number)));
  }

  async #takeLane(options: LaneOptions, affinity: string | undefined): Promise<Lane> {
    const usable = this.#idleLanes.filter((idle) => idle.options === options);
    const chosen = usable.find((idle) => idle.affinity === affinity) ?? usable[0];
    if (!chosen) return this.world.openLane(options);
    this.#idleLanes.splice(this.#idleLanes.indexOf(chosen), 1);
    return chosen.lane;
  }

  #selected<Case extends CampaignCase>(cases: readonly Case[]): Case[] {
    const { only } = this.options;
    if (only === null) return [...cases];
    const exact = cases.filter(({ name }) => name === only);
    if (exact.length > 0) return exact;
    if (/^\d+$/.test(only)) return cases.slice(Number(only), Number(only) + 1);
    const parts = only.split(',');
    return cases.filter(({ name }) => parts.some((part) => name.includes(part)));
  }

  #nothingPlayed(): PermanentFailure {
    const names = [...this.#offered];
    const more = names.length > 20 ? `, … (${names.length} cases)` : '';
    return new PermanentFailure(
      'InvalidInput',
      `InvalidInput: --only: found "${this.options.only}", which names no case; there are: ${names.slice(0, 20).join(', ')}${more}.`,
    );
  }

  #violate(invariant: Invariant | null, played: string, message: string): void {
    const { seed, short } = this.options;
    const version = short ? ' --short' : '';
    const replay = `npm run campaign:${this.definition.name} -- --seed ${seed}${version} --only ${played}`;
    this.#violations.push({ invariant, case: played, message, replay });
    this.print(`VIOLATION ${invariant ?? '(broken)'} in ${played}: ${message}`);
  }
}

/** A lane that never came, or cannot be stopped, has been reported already. */
async function closeQuietly(world: World, lane: Promise<Lane> | null): Promise<void> {
  await lane?.then((opened) => world.closeLane(opened)).catch(() => {});
}

function nameOf(played: CampaignCase | string): string {
  return typeof played === 'string' ? played : played.name;
}

function takeFrom<Item extends Affine>(queue: Item[], affinity: string | undefined): Item | undefined {
  const index = queue.findIndex((each) => each.affinity === affinity);
  return index < 0 ? queue.shift() : queue.splice(index, 1)[0];
}

async function interruption(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
