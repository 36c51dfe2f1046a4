import {
  type LlamaEngine,
  type LoadedModel,
  type ModelToLoad,
  throwIfWithdrawn,
  withdrawal,
} from './engine.js';

export interface VerifiedModel extends ModelToLoad {
  /** Differs when a file has been replaced, so that nothing old answers for it. */
  readonly revision: string;
  /** Throws unless the files are the model that it is taken for; called before it is loaded. */
  verify(): Promise<void>;
}

/** Models in memory: each loaded once, asked one question at a time. */
export interface LoadedModels {
  use<T>(
    model: VerifiedModel,
    signal: AbortSignal | undefined,
    ask: (loaded: LoadedModel) => Promise<T>,
  ): Promise<T>;
}

interface Entry {
  readonly loading: Promise<LoadedModel>;
  /** Settles when the last question in line has been answered; never rejects. */
  lastInLine: Promise<void>;
}

/** Keeps at most `capacity` models in memory; the one that was not used for longest makes room for another. */
export function createLoadedModels(engine: LlamaEngine, capacity: number): LoadedModels {
  // Least recently used first.
  const entries = new Map<string, Entry>();

  /** Lets the model go once the questions in line have been answered. */
  async function close({ loading, lastInLine }: Entry): Promise<void> {
    await lastInLine;
    const loaded = await loading.catch(() => null);
    await loaded?.dispose();
  }

  function open(key: string, model: VerifiedModel): Entry {
    const known = entries.get(key);
    if (known) {
      entries.delete(key);
      entries.set(key, known);
      return known;
    }
    const superfluous = [...entries].slice(0, Math.max(0, entries.size - capacity + 1));
    for (const [oldKey] of superfluous) entries.delete(oldKey);
    const room = Promise.all(superfluous.map(([, entry]) => close(entry)));
    const loading = room.then(() => model.verify()).then(() => engine.load(model));
    const entry = { loading, lastInLine: Promise.resolve() };
    entries.set(key, entry);
    // The next question tries again.
    loading.catch(() => entries.get(key) === entry && entries.delete(key));
    return entry;
  }

  return {
    async use(model, signal, ask) {
      throwIfWithdrawn(signal);
      const { path, adapterPath, revision, contextTokens, threads } = model;
      const key = JSON.stringify([path, adapterPath, revision, contextTokens, threads]);
      const entry = open(key, model);
      const before = entry.lastInLine;
      let leave = () => {};
      const answered = new Promise<void>((resolve) => {
        leave = resolve;
      });
      entry.lastInLine = before.then(() => answered);
      try {
        await orWithdrawn(before, signal);
        return await ask(await orWithdrawn(entry.loading, signal));
      } finally {
        leave();
      }
    },
  };
}

/** Waits no longer than the signal lets it; what is waited for goes on. */
async function orWithdrawn<T>(waiting: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return waiting;
  throwIfWithdrawn(signal);
  let stopListening = () => {};
  const withdrawn = new Promise<never>((_, reject) => {
    const listener = () => reject(withdrawal(signal));
    signal.addEventListener('abort', listener);
    stopListening = () => signal.removeEventListener('abort', listener);
  });
  return Promise.race([waiting, withdrawn]).finally(stopListening);
}
