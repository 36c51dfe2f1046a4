import type { Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { lockChampion, moveChampion } from './alias.repository.js';
import { appendEvent, findOwnEvent, listEvents } from './deployment-history.repository.js';
import { lastMove } from './last-move.js';
import { requireVersion, setDeployment, setStatus } from './model-version.repository.js';
import type { Author, Registry } from './registry.js';

type Move = Parameters<Registry['promote']>[1];
type Moved = Awaited<ReturnType<Registry['promote']>>;

/**
 * Moves the alias `champion`. A repeated call of the same run is recognised by its line in the history and
 * answered as before: it never moves the alias back over somebody else's later promotion.
 */
export async function promote(
  transaction: Transaction<Database>,
  author: Author,
  move: Move,
): Promise<Moved> {
  const { model, version, action } = move;
  const champion = await lockChampion(transaction, author, model);
  const target = await requireVersion(transaction, model, version);

  if (champion === version) {
    return { champion, previousChampion: await championBefore(transaction, model) };
  }
  if (await findOwnEvent(transaction, author, { model, version, action })) {
    throw conflict(move, champion, `this run promoted it before, and the alias has been moved since`);
  }
  if (move.expectedChampion !== undefined && move.expectedChampion !== champion) {
    throw conflict(move, champion, `${describe(move.expectedChampion)} was expected to be champion`);
  }
  if (target.status === 'rejected' || target.status === 'archived') {
    throw conflict(move, champion, `it is ${target.status}; deploy and validate it again first`);
  }

  const deployment = move.inheritsDeployment
    ? await inheritDeployment(transaction, move, champion)
    : target.deployment;
  if (champion !== null) await setStatus(transaction, model, champion, 'previous');
  await setStatus(transaction, model, version, 'champion');
  await moveChampion(transaction, author, model, version);
  await appendEvent(transaction, author, {
    model,
    version,
    action,
    previousVersion: champion,
    deployment,
    deployedBy: move.deployedBy,
    notes: move.notes,
  });
  return { champion: version, previousChampion: champion };
}

/** In one transaction, so that a deployment never belongs to two versions, or to none. */
async function inheritDeployment(
  transaction: Transaction<Database>,
  move: Move,
  champion: number | null,
): Promise<ModelVersion['deployment']> {
  const { model, version } = move;
  const inherited = champion === null ? null : await requireVersion(transaction, model, champion);
  if (!inherited?.deployment) {
    throw conflict(move, champion, 'the champion has no deployment to take over');
  }
  await setDeployment(transaction, model, inherited.version, null);
  await setDeployment(transaction, model, version, inherited.deployment);
  return inherited.deployment;
}

/** Who served before the latest move of the alias. */
async function championBefore(transaction: Transaction<Database>, model: string): Promise<number | null> {
  return lastMove(await listEvents(transaction, model))?.previousVersion ?? null;
}

function conflict(move: Move, champion: number | null, reason: string): PermanentFailure {
  return new PermanentFailure(
    'Conflict',
    `Conflict: Version ${move.version} of "${move.model}" was not promoted: ${reason}; the champion is ${describe(champion)}`,
    [{ model: move.model, version: move.version, champion, expectedChampion: move.expectedChampion ?? null }],
  );
}

function describe(version: number | null): string {
  return version === null ? 'none' : `version ${version}`;
}
