import type { DeploymentEvent } from '../../domain/model-version.js';

/** The latest event of a history, oldest first, that moved the alias `champion`; undefined when none did. */
export function lastMove(history: readonly DeploymentEvent[]): DeploymentEvent | undefined {
  return history.findLast(({ action }) => action === 'promote' || action === 'rollback');
}
