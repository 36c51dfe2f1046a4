import type { Transaction } from 'kysely';
import type { Database } from '../../database/database.js';
import { PermanentFailure } from '../../domain/failures.js';
import { lockChampion, moveChampion } from './alias.repository.js';
import { appendEvent } from './deployment-history.repository.js';
import { requireVersion, setDeployment, setStatus } from './model-version.repository.js';
import type { Author, Registry } from './registry.js';

/**
 * Takes a version out of use: `reject` after a failed gate, `teardown` once its resources are gone. Tearing
 * down the champion leaves the model without one; rejecting it is refused, because nothing would take over.
 */
export async function retire(
  transaction: Transaction<Database>,
  author: Author,
  { model, version, action, notes }: Parameters<Registry['retire']>[1],
): Promise<void> {
  const champion = await lockChampion(transaction, author, model);
  const target = await requireVersion(transaction, model, version);
  const status = action === 'reject' ? 'rejected' : 'archived';
  const isRetired = target.status === 'archived' || target.status === status;
  if (isRetired && target.deployment === null) return;
  if (action === 'reject' && champion === version) {
    throw new PermanentFailure(
      'Conflict',
      `Conflict: Version ${version} of "${model}" is the champion and cannot be rejected: roll back to another version first`,
      [{ model, version }],
    );
  }
  await setStatus(transaction, model, version, status);
  await setDeployment(transaction, model, version, null);
  if (champion === version) await moveChampion(transaction, author, model, null);
  await appendEvent(transaction, author, {
    model,
    version,
    action,
    previousVersion: champion,
    deployment: target.deployment,
    deployedBy: author.workflowId,
    notes,
  });
}

/** Records that a version's deployment is gone while its model stays. Nothing to do where it has none. */
export async function forgetDeployment(
  transaction: Transaction<Database>,
  author: Author,
  { model, version, notes }: { model: string; version: number; notes: string },
): Promise<void> {
  const champion = await lockChampion(transaction, author, model);
  const target = await requireVersion(transaction, model, version);
  if (target.deployment === null) return;
  await setDeployment(transaction, model, version, null);
  await appendEvent(transaction, author, {
    model,
    version,
    action: 'undeploy',
    previousVersion: champion,
    deployment: target.deployment,
    deployedBy: author.workflowId,
    notes,
  });
}
