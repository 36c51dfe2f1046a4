import { toFailure } from './to-failure.js';

export interface Update {
  /** For messages, for instance `deployment`. */
  readonly kind: string;
  readonly name: string;
  /** How it stands towards the wanted model; `busy` takes no update before it has settled. */
  look(): Promise<'updated' | 'busy' | 'other'>;
  send(): Promise<unknown>;
}

/**
 * Points a deployment at another model unless it is on its way there. After an error it looks again: where the
 * reply to an earlier try was lost, the client's own second one is refused. Throws a retryable error while busy.
 */
export async function updateOnce(update: Update): Promise<void> {
  if (await isUpdated(update)) return;
  try {
    await update.send();
  } catch (error) {
    if (await isUpdated(update)) return;
    throw toFailure(error, `point ${update.kind} ${update.name} at another model`);
  }
}

async function isUpdated({ kind, name, look }: Update): Promise<boolean> {
  const state = await look();
  if (state === 'busy') throw new Error(`The ${kind} ${name} takes no update before it has settled`);
  return state === 'updated';
}
