import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxFaults, SandboxFiredFault } from '../admin.js';
import { type Call, ConnectionLost, type Gate, type Perform } from '../call.js';
import type { Reply } from '../http/message.js';
import type { World } from '../world.js';
import { isFate } from './fate.js';
import { type Doom, Fates } from './fates.js';
import { allows, selects } from './operations.js';
import { worldAt, worldBefore } from './past.js';
import { discard, errorReply, malformed } from './replies.js';
import type { CheckedScript, Fault, FaultRule } from './script.js';
import { FaultStore } from './store.js';

interface CountedRule {
  readonly rule: FaultRule;
  matched: number;
  fired: number;
}

const longestLog = 10_000;

/**
 * Plays a fault script on the calls that pass. Which calls a rule meets follows from their order and from
 * the rule's seed alone. Script and fates of resources outlive a restart; counts and log begin anew.
 */
export class FaultInjector {
  readonly #store: FaultStore;
  readonly #fates: Fates;
  readonly #closing = new AbortController();
  #script: CheckedScript;
  #installedAt: number;
  #rules: CountedRule[];
  #log: SandboxFiredFault[] = [];
  #logged = 0;

  constructor(
    private readonly world: World,
    script: CheckedScript | null,
    onInvalidResponse: (message: string) => void,
  ) {
    this.#store = new FaultStore(world.stateDirectory);
    const kept = this.#store.read();
    this.#script = script ?? kept?.script ?? { faults: [] };
    this.#installedAt = script || !kept ? world.now() : kept.installedAt;
    this.#rules = count(this.#script);
    this.#fates = new Fates(world, [...(kept?.fates ?? [])], {
      onShown: (fate, call) => this.#write(call, fate.fault.kind, null, fate.arn),
      onChange: () => this.#keep(),
      onInvalidResponse,
    });
    if (script) this.#keep();
  }

  /** Replaces the script; counts and log begin anew. What has befallen a resource already stays. */
  install(script: CheckedScript): void {
    this.#script = script;
    this.#installedAt = this.world.now();
    this.#rules = count(script);
    this.#log = [];
    this.#logged = 0;
    this.#keep();
  }

  close(): void {
    this.#closing.abort();
  }

  describe(): SandboxFaults {
    return {
      simulated: true,
      name: this.#script.name ?? null,
      installedAt: new Date(this.#installedAt).toISOString(),
      faults: this.#rules.map(({ rule, matched, fired }) => ({ ...rule, matched, fired })),
      fates: this.#fates.all.map(({ arn, fault, rule }) => ({ resource: arn, rule, fault })),
      log: this.#log,
      logged: this.#logged,
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
    let fault: Fault | null = null;
    for (const [index, counted] of this.#rules.entries()) {
      if (!this.#matches(counted.rule, call)) continue;
      counted.matched += 1;
      if (!isDue(counted.rule.nth, counted.matched)) continue;
      if (isFate(counted.rule.fault)) dooms.push({ rule: index, fault: counted.rule.fault });
      else if (fault) continue;
      else fault = counted.rule.fault;
      counted.fired += 1;
      this.#write(call, counted.rule.fault.kind, index, null);
    }
    return { fault, dooms };
  }

  #matches({ operation, match, during, fault }: FaultRule, call: Call): boolean {
    if (!selects(operation, call.service, call.operation)) return false;
    if (!allows(fault.kind, call.service, call.operation)) return false;
    if (during) {
      const minutes = (this.world.now() - this.#installedAt) / 60_000;
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
    this.#logged += 1;
    this.#log.push({
      sequence: this.#logged,
      at: new Date(this.world.now()).toISOString(),
      operation: `${call.service}:${call.operation}`,
      kind,
      rule,
      resource,
      requestId: call.requestId,
    });
    if (this.#log.length > longestLog) this.#log.shift();
  }

  #keep(): void {
    this.#store.write({
      installedAt: this.#installedAt,
      script: this.#script,
      fates: this.#fates.all,
    });
  }
}

function count(script: CheckedScript): CountedRule[] {
  return script.faults.map((rule) => ({ rule, matched: 0, fired: 0 }));
}

function isDue(nth: FaultRule['nth'], ordinal: number): boolean {
  if (nth === 'always') return true;
  if (typeof nth === 'number') return nth === ordinal;
  if (Array.isArray(nth)) return nth.includes(ordinal);
  const digest = createHash('sha256').update(`${nth.seed}/${ordinal}`).digest();
  return digest.readUInt32BE(0) / 2 ** 32 < nth.probability;
}
