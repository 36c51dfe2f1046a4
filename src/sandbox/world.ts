import { join } from 'node:path';
import { SandboxClock } from './clock.js';
import type { SandboxEvent } from './events.js';
import { Journal } from './journal.js';
import { loadPrices, type Prices } from './prices.js';
import type { SandboxSettings } from './settings.js';
import { applyEvent, emptyState, type State } from './state.js';
import { BlobStore } from './storage/blobs.js';

/** One sandbox: its settings, its clock, what it knows, and the journal that this is rebuilt from. */
export class World {
  readonly state: State;
  /** What has happened apart from objects and requests, which are most of it; for looks into the past. */
  readonly history: SandboxEvent[] = [];
  readonly clock: SandboxClock;
  readonly prices: Prices = loadPrices();
  readonly blobs: BlobStore;
  readonly #journal: Journal<SandboxEvent>;

  constructor(
    readonly stateDirectory: string,
    readonly settings: SandboxSettings,
    clockScale: number | null,
  ) {
    this.state = emptyState(settings.readings);
    this.clock = new SandboxClock(stateDirectory, clockScale);
    this.blobs = new BlobStore(join(stateDirectory, 'blobs'));
    this.#journal = new Journal(join(stateDirectory, 'journal.jsonl'), (event) => this.#apply(event));
    this.blobs.removeUnreferenced(this.state);
  }

  now(): number {
    return this.clock.now();
  }

  /** Makes something have happened. What costs money is on disk before anybody is told. */
  record(event: SandboxEvent): void {
    this.#journal.append(event, !isFrequent(event));
    this.#apply(event);
  }

  #apply(event: SandboxEvent): void {
    applyEvent(this.state, event);
    if (!isFrequent(event)) this.history.push(event);
  }

  close(): void {
    this.#journal.close();
  }
}

function isFrequent(event: SandboxEvent): boolean {
  return event.type === 'invoked' || event.type.startsWith('object.') || event.type.startsWith('upload.');
}
