import {
  CancellationScope,
  isCancellation,
  patched,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import {
  describeHolder,
  type ModelHolder,
  modelLock,
  sameHolder,
  type WorkflowHolder,
} from '../domain/lease.js';
import {
  type CloudCursor,
  type Finding,
  type IdleEntry,
  type Leftover,
  type MissingEntry,
  type SweepEntry,
  type SweepResult,
  type SweepSpec,
  sweepSpecSchema,
  type VersionKey,
} from '../domain/sweep.js';
import {
  addIdle,
  addMissing,
  addOrphan,
  newSweepState,
  renderSweepDetails,
  toSweepResult,
} from '../domain/sweep-report.js';
import { parseOrFail, toRunFailure } from './failures.js';
import { giveBackSuperseded, giverOf } from './give-back.js';
import { championRestore, leaseReleases, leases, registry, sweepLook, sweepWork } from './proxies.js';

/**
 * The third owner of everything paid: compares the cloud with leases and registry in both directions, and
 * reports what neither knows, what should exist and does not, and what nobody uses. Deletes, and puts the
 * books right, only with `delete`. Any number of sweeps may run at once.
 */
export async function sweepOrphans(input: unknown): Promise<SweepResult> {
  const spec = parseOrFail(sweepSpecSchema, input === undefined ? {} : input, 'the input of sweepOrphans');
  const sweep = new Sweep(spec);
  try {
    // First, because a model that is served cannot be deleted.
    if (patched('sweep-champions')) await sweep.champions();
    await sweep.cloud();
    await sweep.standbys();
    await sweep.files();
    await sweep.books();
    await sweep.openLeases();
    await sweep.releaseIdle();
    return await sweep.end();
  } catch (error) {
    throw toRunFailure(error, 'TeardownIncomplete');
  }
}

/** Settles each page before it looks at the next. */
async function pageByPage<Cursor, Page extends { readonly next: Cursor | null }>(
  look: (after: Cursor | null) => Promise<Page>,
  settle: (page: Page) => Promise<void>,
): Promise<void> {
  let after: Cursor | null = null;
  do {
    const page: Page = await look(after);
    await settle(page);
    after = page.next;
  } while (after !== null);
}

/** One line that cannot be put right, such as a lease that somebody else holds, holds up no other. */
function keep(entry: MissingEntry, error: unknown): MissingEntry {
  if (isCancellation(error)) throw error;
  const { message } = toRunFailure(error, 'TeardownIncomplete');
  return { ...entry, action: 'kept', reason: `${entry.reason}; ${message}` };
}

class Sweep {
  private readonly state;
  private readonly author = {
    workflowId: workflowInfo().workflowId,
    runId: workflowInfo().firstExecutionRunId,
  };
  private readonly holder: WorkflowHolder = {
    kind: 'workflow',
    workflowId: workflowInfo().workflowId,
    firstRunId: workflowInfo().firstExecutionRunId,
  };
  private readonly idle: IdleEntry[] = [];
  private readonly reported = new Set<string>();
  private pages = 0;

  constructor(private readonly spec: SweepSpec) {
    this.state = newSweepState(spec, workflowInfo().taskQueue);
  }

  /** Champions whose deployment serves another model, after a swap that nobody ended. */
  async champions(): Promise<void> {
    this.show('looks at what champions serve');
    await pageByPage(
      (after: VersionKey | null) =>
        sweepLook('Does every champion serve?').judgeChampionsPage(this.spec, after),
      ({ missing }) => this.settleMissing(missing, (entry) => this.restore(entry)),
    );
  }

  /** Deployments, throughputs, running jobs and trained models that carry our tags. */
  async cloud(): Promise<void> {
    this.show('looks at what the providers have');
    const first: CloudCursor = { source: 0, page: null };
    await pageByPage(
      (after: CloudCursor | null) =>
        sweepLook('What do the providers have?').judgeCloudPage(this.spec, after ?? first),
      async (page) => {
        this.state.counts.examined += page.examined;
        this.idle.push(...page.idle);
        await this.settle(page.findings);
      },
    );
  }

  /** What a promotion has superseded, and what its run and the lock's lease ended before giving back. */
  async standbys(): Promise<void> {
    this.show('looks at superseded versions');
    await pageByPage(
      (after: VersionKey | null) =>
        sweepLook('What was superseded and never given back?').judgeStandbysPage(this.spec, after),
      async ({ leftovers }) => {
        for (const leftover of leftovers) {
          await this.report(this.spec.delete ? await this.giveBack(leftover) : leftover.entries);
        }
      },
    );
  }

  /** Old datasets and job files, and uploads that never came to an end. */
  async files(): Promise<void> {
    this.show('looks at files');
    await pageByPage(
      (after: string | null) => sweepLook('Which files does nobody need?').judgeFilesPage(this.spec, after),
      ({ findings }) => this.settle(findings),
    );
    await this.settle(await sweepLook('Which uploads came to no end?').judgeUnfinishedUploads(this.spec));
  }

  /** Registered versions whose model or deployment is gone. */
  async books(): Promise<void> {
    this.show('looks at the registry');
    const correct = (entry: MissingEntry) =>
      sweepWork(`Correct ${entry.model} version ${entry.version}`).correctRegistry(
        this.spec,
        entry,
        this.author,
      );
    await pageByPage(
      (after: VersionKey | null) =>
        sweepLook('Does everything registered exist?').judgeVersionsPage(this.spec, after),
      ({ missing }) => this.settleMissing(missing, correct),
    );
  }

  /** Leases on what is gone, and on what the registry does not know any more. */
  async openLeases(): Promise<void> {
    this.show('looks at leases');
    await pageByPage(
      (after: string | null) =>
        sweepLook('Does every lease protect something?').judgeLeasesPage(this.spec, after),
      async ({ kept, missing }) => {
        await this.report(kept);
        const vain = missing.filter(({ name }) => !this.reported.has(name));
        await this.settleMissing(vain, (entry) =>
          sweepWork(`Release the lease on ${entry.name}`).releaseVainLease(entry),
        );
      },
    );
  }

  /** Gives back what nobody asks, where the spec says so. */
  async releaseIdle(): Promise<void> {
    if (this.idle.length === 0) return;
    this.show('looks at idle deployments');
    const settled: IdleEntry[] = [];
    for (const entry of this.idle) {
      const line = this.spec.delete && this.spec.releaseIdle ? await this.release(entry) : entry;
      addIdle(this.state, line);
      settled.push(line);
    }
    await this.keepPage({ idle: settled });
  }

  async end(): Promise<SweepResult> {
    this.show('ended');
    const result = toSweepResult(this.state, null);
    if (this.pages === 0) return result;
    const uri = await sweepWork('Write the report').writeSweepReport(this.author, this.pages, result);
    return toSweepResult(this.state, uri);
  }

  /** Acts on what a page showed, or only reports it. */
  private async settle(findings: readonly Finding[]): Promise<void> {
    if (findings.length === 0) return;
    const entries = this.spec.delete
      ? await sweepWork(`Settle ${findings.length} orphans`).actOnOrphans(this.spec, findings)
      : findings.map(({ entry }) => entry);
    await this.report(entries);
  }

  private async report(entries: readonly SweepEntry[]): Promise<void> {
    if (entries.length === 0) return;
    for (const entry of entries) addOrphan(this.state, entry);
    await this.keepPage({ orphans: entries });
  }

  private async settleMissing<Entry extends MissingEntry>(
    found: readonly Entry[],
    act: (entry: Entry) => Promise<MissingEntry>,
  ): Promise<void> {
    if (found.length === 0) return;
    const missing: MissingEntry[] = [];
    for (const entry of found) {
      const line = this.spec.delete ? await act(entry).catch((error) => keep(entry, error)) : entry;
      const { kind, name, model, version, action, reason, next } = line;
      missing.push({ kind, name, model, version, action, reason, next });
      this.reported.add(name);
    }
    for (const entry of missing) addMissing(this.state, entry);
    await this.keepPage({ missing });
  }

  private async restore(entry: MissingEntry): Promise<MissingEntry> {
    const { model, version, name, reason } = entry;
    const worked = await this.underLock(model, () =>
      championRestore(`Point ${name} back at version ${version}`).restoreChampion(modelLock(model)),
    );
    return 'owner' in worked
      ? { ...entry, action: 'kept', reason: `${reason}; ${worked.owner} works on the model` }
      : { ...entry, action: 'corrected', reason: `${reason}; it serves its champion again` };
  }

  private async giveBack({ model, entries }: Leftover): Promise<SweepEntry[]> {
    const undeletable = new Set<string>();
    const worked = await this.underLock(model, async () => {
      const left = await sweepWork('Is it superseded still?').findLeftover(this.spec, model);
      if (left)
        await giveBackSuperseded(
          giverOf(this.author, (name) => undeletable.add(name)),
          left,
        );
      return new Set(left?.entries.map(({ name }) => name));
    });
    return entries.map((entry) => {
      const kept = (reason: string): SweepEntry => ({ ...entry, action: 'kept', reason });
      if ('owner' in worked) return kept(`${worked.owner} works on the model`);
      if (!worked.result.has(entry.name)) return kept('changed since it was found');
      if (undeletable.has(entry.name)) return kept('could not be deleted, the next sweep tries again');
      return { ...entry, action: 'deleted' };
    });
  }

  private async release(entry: IdleEntry): Promise<IdleEntry> {
    const { model, version, deployment, idleHours } = entry;
    const kept = (reason: string): IdleEntry => ({ ...entry, action: 'kept', reason });
    const worked = await this.underLock(model, async (): Promise<IdleEntry> => {
      const look = sweepWork(`Is ${deployment} idle still?`);
      const prepared = await look.prepareIdleRelease(this.spec, entry, this.author);
      if ('keep' in prepared) return kept(prepared.keep);
      const holder: ModelHolder = { kind: 'model-version', model, version };
      await leaseReleases(`Release idle ${deployment}`).releaseLease(prepared.resource, holder);
      const notes = `released: nothing asked it for ${idleHours.toFixed(1)} h`;
      const forget = registry(`Version ${version} sleeps`);
      await forget.forgetDeployment(this.author, model, version, notes);
      return { ...entry, action: 'released', reason: notes };
    });
    return 'owner' in worked ? kept(`${worked.owner} works on the model`) : worked.result;
  }

  /** Works with the model's run lock, so that no run loses what it is working with; or says who else has it. */
  private underLock<T>(
    model: string,
    work: () => Promise<T>,
  ): Promise<{ readonly result: T } | { readonly owner: string }> {
    const lock = modelLock(model);
    return CancellationScope.nonCancellable(async () => {
      const owner = await leases(`Lock model ${model}`).claimLease(lock, this.holder);
      if (!sameHolder(owner, this.holder)) return { owner: describeHolder(owner) };
      try {
        return { result: await work() };
      } finally {
        await leaseReleases(`Unlock model ${model}`).releaseLease(lock, this.holder);
      }
    });
  }

  private async keepPage(page: {
    orphans?: readonly SweepEntry[];
    missing?: readonly MissingEntry[];
    idle?: readonly IdleEntry[];
  }): Promise<void> {
    this.pages += 1;
    this.show();
    await sweepLook('Keep what was found').keepReportPage(this.author, this.pages, page);
  }

  private show(doing: string = this.state.doing): void {
    this.state.doing = doing;
    setCurrentDetails(renderSweepDetails(this.state));
  }
}
