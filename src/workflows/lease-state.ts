import {
  ApplicationFailure,
  CancellationScope,
  condition,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import {
  describeHolder,
  type Extension,
  extensionSchema,
  handOverSchema,
  type LeasedResource,
  type LeaseHolder,
  type LeaseResourceInput,
  type LeaseState,
  type LeaseView,
  leaseHolderSchema,
  sameHolder,
} from '../domain/lease.js';
import { formatUsd } from '../domain/money.js';
import { failWith, parseOrFail } from './failures.js';
import {
  acquireUpdate,
  extendUpdate,
  type HandOver,
  handOverUpdate,
  leaseQuery,
  type ReleaseReport,
  recheckSignal,
  releaseUpdate,
} from './messages.js';

/** Who holds a resource, until when, and everything that can be said to its lease. */
export class Lease {
  holder: LeaseHolder | null = null;
  state: LeaseState = 'vacant';
  report: ReleaseReport | null = null;
  /** Around the wait for the holder's end; cancelled to make it look now. */
  watch: CancellationScope | null = null;
  private expiresAtMs: number | null = null;

  /** Registers every handler: the first update comes with the start. */
  constructor(
    readonly resource: LeasedResource,
    held: LeaseResourceInput['held'],
  ) {
    if (held) this.continue(held);
    setHandler(leaseQuery, () => this.view());
    setHandler(acquireUpdate, (claimant) => this.hold(claimant), {
      description: 'Makes a run or a model version the holder. Sent by runs.',
      validator: (claimant) => {
        this.refuseWhileClosing();
        this.refuseStranger(claimant);
      },
    });
    setHandler(handOverUpdate, ({ to }) => this.hold(to), {
      description: 'Passes the resource on to another holder. Sent by runs.',
      validator: (handOver) => this.refuseHandOver(handOver),
    });
    setHandler(extendUpdate, (extension) => this.extend(extension), {
      description: 'Moves the end of the lease; input {"hours": 24}, counted from now.',
      validator: (extension) => this.refuseExtension(extension),
    });
    setHandler(releaseUpdate, () => this.release(), {
      description: 'Deletes the resource; input is the holder that the query "lease" shows.',
      validator: (claimant) => this.refuseStranger(claimant),
    });
    setHandler(recheckSignal, () => this.watch?.cancel(), { description: 'Looks at the holder now.' });
  }

  hold(holder: LeaseHolder): LeaseView {
    this.holder = holder;
    const hours = holder.kind === 'workflow' ? holder.holdHours : undefined;
    this.expiresAtMs = hours === undefined ? null : Date.now() + hours * 3_600_000;
    this.watch?.cancel();
    this.enter('held');
    return this.view();
  }

  /** What to carry over when the lease continues as new. */
  held(): LeaseResourceInput['held'] {
    return this.holder && { holder: this.holder, expiresAtMs: this.expiresAtMs };
  }

  /** Milliseconds until the agreed end, at least one; null where there is none. */
  remainingMs(): number | null {
    return this.expiresAtMs === null ? null : Math.max(1, this.expiresAtMs - Date.now());
  }

  hasExpired(): boolean {
    return this.expiresAtMs !== null && Date.now() >= this.expiresAtMs;
  }

  /** From here on nobody may acquire: what it protects is about to go. */
  startClosing(): void {
    this.enter('releasing');
  }

  /** Answers whoever asked for the release, and refuses every further holder. */
  close(report: ReleaseReport): void {
    this.report = report;
    this.enter('released');
  }

  private continue({ holder, expiresAtMs }: NonNullable<LeaseResourceInput['held']>): void {
    this.holder = holder;
    this.expiresAtMs = expiresAtMs;
    this.enter('held');
  }

  private extend({ hours }: Extension): LeaseView {
    this.expiresAtMs = Date.now() + hours * 3_600_000;
    this.watch?.cancel();
    this.enter('held');
    return this.view();
  }

  private async release(): Promise<ReleaseReport> {
    if (this.state === 'held') this.enter('releasing');
    this.watch?.cancel();
    // A handler runs in the workflow's own scope: cancelled, it would answer with that cancel for ever.
    await CancellationScope.nonCancellable(() => condition(() => this.report !== null));
    return this.report as ReleaseReport;
  }

  private refuseWhileClosing(): void {
    if (this.state === 'releasing' || this.state === 'released') {
      throw ApplicationFailure.retryable(`The lease on ${this.resource.name} is closing`, 'LeaseClosing');
    }
  }

  private refuseStranger(claimant: LeaseHolder): void {
    const { holder, resource } = this;
    parseOrFail(leaseHolderSchema, claimant, 'the holder');
    if (!holder || sameHolder(holder, claimant)) return;
    throw ApplicationFailure.nonRetryable(
      `Conflict: ${resource.kind} "${resource.name}" is held by ${describeHolder(holder)}; wait until it has ended, or cancel it. Refused: ${describeHolder(claimant)}.`,
      'Conflict',
    );
  }

  private refuseHandOver(handOver: HandOver): void {
    const { from, to } = parseOrFail(handOverSchema, handOver, 'the hand-over');
    this.refuseWhileClosing();
    // Handing over again after a lost reply finds the new holder in place.
    if (!this.holder || !sameHolder(this.holder, to)) this.refuseStranger(from);
  }

  private refuseExtension(extension: Extension): void {
    parseOrFail(extensionSchema, extension, 'the extension');
    this.refuseWhileClosing();
    if (this.holder?.kind === 'workflow') return;
    throw failWith('Conflict', `${this.resource.name} is held without an end; there is nothing to extend.`);
  }

  private view(): LeaseView {
    const { resource, holder, state, expiresAtMs } = this;
    const expiresAt = expiresAtMs === null ? null : new Date(expiresAtMs).toISOString();
    return { resource, holder, state, expiresAt };
  }

  private enter(state: LeaseState): void {
    this.state = state;
    const { kind, name, usdPerHour } = this.resource;
    const { expiresAt } = this.view();
    const owner = this.holder ? ` by ${describeHolder(this.holder)}` : '';
    const end = expiresAt && state === 'held' ? `, at the latest until ${expiresAt}` : '';
    const perHour = `${formatUsd(usdPerHour)} an hour (${formatUsd(usdPerHour * 730)} a month)`;
    setCurrentDetails(`**${kind}** \`${name}\`, ${perHour}: ${state}${owner}${end}`);
  }
}
