import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxFaults, SandboxFiredFault } from '../admin.js';
import { type Call, ConnectionLost, type Gate, type Perform } from '../call.js';
import type { Reply } from '../http/message.js';
import type { World } from '../world.js';
import { type Fate, isFate } from './fate.js';
import { type Doom, Fates } from './fates.js';
import { allows, selects } from './operations.js';
import { worldAt, worldBefore } from './past.js';
import { discard, errorReply, malformed } from './replies.js';
import type { CheckedScript, Fault, FaultRule } from './script.js';
import { addToLog, count, FaultStore, type KeptFaults } from './store.js';

/**
 * Plays a fault script on the calls that pass. Which calls a rule meets follows from their order and from
 * the rule's seed alone. Script, counts, log and fates of resources outlive a restart.
 */
export class FaultInjector {
  readonly #store: FaultStore;
  readonly #fates: Fates;
  readonly #closing = new AbortController();
  #kept: KeptFaults;

  constructor(
    private readonly world: World,
    script: CheckedScript | null,
    onInvalidResponse: (message: string) => void,
  ) {
    this.#store = new FaultStore(world.stateDirectory);
    const kept = this.#store.read();
    const fates = kept?.fates ?? [];
    this.#kept = script || !kept ? this.#fresh(script ?? { faults: [] }, fates) : kept;
    this.#fates = new Fates(world, fates, {
      onShown: (fate, call) => this.#write(call, fate.fault.kind, null, fate.arn),
      onChange: (fate, isOver) => this.#store.append(isOver ? { fateIsOver: fate } : { fate }, this.#kept),
      onInvalidResponse,
    });
    this.#store.write(this.#kept);
  }

  #fresh(script: CheckedScript, fates: Fate[]): KeptFaults {
    const counts = script.faults.map(() => ({ matched: 0, fired: 0 }));
    return { installedAt: this.world.now(), script, counts, fates, log: [], logged: 0 };
  }

  /** Replaces the script; counts and log begin anew. What has befallen a resource already stays. */
  install(script: CheckedScript): void {
    this.#kept = this.#fresh(script, this.#fates.all);
    this.#store.write(this.#kept);
  }

  close(): void {
    this.#closing.abort();
    this.#store.close();
  }

  /** Whether a deployment or throughput has failed because of a script, by ARN. */
  readonly hasFailed = (arn: string): boolean => this.#fates.hasFailed(arn);

  describe(): SandboxFaults {
    const { script, installedAt, counts, log, logged } = this.#kept;
    return {
      simulated: true,
      name: script.name ?? null,
      installedAt: new Date(installedAt).toISOString(),
      faults: script.faults.map((rule, index) => ({
        ...rule,
        ...(counts[index] ?? { matched: 0, fired: 0 }),
      })),
      fates: this.#fates.all.map(({ arn, fault, rule }) => ({ resource: arn, rule, fault })),
      log,
      logged,
    };
  }

  readonly gate: Gate = async (call, perform) => {
    const { fault, dooms } = this.#fire(call);
    const performFated: Perform = (view) =>
      this.#fates.perform(call, dooms, (fatedView) => perform(fatedView ?? view));
    return fault ? this.#play(fault, call, performFated) : performFated();
  };

  /** The first fault of a call that is due, and every fault of what the call makes. */
  #fire(call: Call): { fault: Fault | null; dooms: Doom[] } {
    const dooms: Doom[] = [];
    const matched: number[] = [];
    const fired: number[] = [];
    let fault: Fault | null = null;
    for (const [index, rule] of this.#kept.script.faults.entries()) {
      if (!this.#matches(rule, call)) continue;
      matched.push(index);
      if (!isDue(rule.nth, count(this.#kept, index, 'matched'))) continue;
      if (isFate(rule.fault)) dooms.push({ rule: index, fault: rule.fault });
      else if (fault) continue;
      else fault = rule.fault;
      fired.push(index);
      count(this.#kept, index, 'fired');
      this.#write(call, rule.fault.kind, index, null);
    }
    if (matched.length > 0) this.#store.append({ matched, fired }, this.#kept);
    return { fault, dooms };
  }

  #matches({ operation, match, during, fault }: FaultRule, call: Call): boolean {
    if (!selects(operation, call.service, call.operation)) return false;
    if (!allows(fault.kind, call.service, call.operation)) return false;
    if (during) {
      const minutes = (this.world.now() - this.#kept.installedAt) / 60_000;
      if (minutes < during.fromMinutes || minutes >= (during.toMinutes ?? Number.POSITIVE_INFINITY)) {
        return false;
      }
    }
    return match === undefined || call.names().some((name) => name.includes(match));
  }

  async #play(fault: Fault, call: Call, perform: Perform): Promise<Reply> {
    switch (fault.kind) {
      case 'reset':
        throw new ConnectionLost();
      case 'slow':
        await this.#hold(fault.delayMs);
        return perform();
      case 'timeoutBefore':
        await this.#hold(fault.holdMs);
        throw new ConnectionLost();
      case 'timeoutAfterCommit':
        discard(await perform());
        await this.#hold(fault.holdMs);
        throw new ConnectionLost();
      case 'malformedBody':
        return malformed(await perform(), fault.body);
      case 'staleList':
        return perform(
          fault.seconds
            ? worldAt(this.world, this.world.now() - fault.seconds * 1000)
            : worldBefore(this.world, call.operation, fault.mutations ?? 1),
        );
      case 'throttle':
      case 'error':
      case 'accessDenied':
      case 'expiredToken':
      case 'conflict':
      case 'capacity':
        return errorReply(call, fault, this.world.settings.accountId);
      default:
        throw new Error(`${fault.kind} is no fault of a call.`);
    }
  }

  async #hold(holdMs: number): Promise<void> {
    await sleep(holdMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {
      throw new ConnectionLost();
    });
  }

  #write(call: Call, kind: string, rule: number | null, resource: string | null): void {
    const line: SandboxFiredFault = {
      sequence: this.#kept.logged + 1,
      at: new Date(this.world.now()).toISOString(),
      operation: `${call.service}:${call.operation}`,
      kind,
      rule,
      resource,
      requestId: call.requestId,
    };
    addToLog(this.#kept, line);
    this.#store.append({ logged: line }, this.#kept);
  }
}

function isDue(nth: FaultRule['nth'], ordinal: number): boolean {
  if (nth === 'always') return true;
  if (typeof nth === 'number') return nth === ordinal;
  if (Array.isArray(nth)) return nth.includes(ordinal);
  const digest = createHash('sha256').update(`${nth.seed}/${ordinal}`).digest();
  return digest.readUInt32BE(0) / 2 ** 32 < nth.probability;
}
