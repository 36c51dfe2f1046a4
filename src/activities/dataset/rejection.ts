import { createHash } from 'node:crypto';
import { formatProblem } from '../../domain/dataset/problem.js';
import { PermanentFailure } from '../../domain/failures.js';
import { canonicalJson } from '../../domain/json.js';
import type { ObjectStore } from './object-store.js';
import { keptProblems, type RowLedger } from './row-ledger.js';

/** So many problems travel with the failure itself. */
const shownProblems = 20;

/** Stores the list of problems and makes the failure that begins with the first of them. */
export async function rejectForProblems(
  ledger: RowLedger,
  destination: string,
  objects: ObjectStore,
): Promise<PermanentFailure> {
  const list = ledger.problems.map((problem) => `${canonicalJson(problem)}\n`).join('');
  const hash = createHash('sha256').update(list).digest('hex').slice(0, 32);
  const uri = `${destination}/rejected-${hash}/problems.jsonl`;
  await objects.put(uri, list, 'application/jsonl');
  const [first] = ledger.problems;
  const more = ledger.problemCount - 1;
  const others = more === 0 ? 'No further problem.' : `${more} more ${more === 1 ? 'problem' : 'problems'}.`;
  const listed =
    ledger.problemCount > keptProblems ? `The first ${keptProblems} are in` : 'The full list is in';
  return new PermanentFailure(
    'DatasetRejected',
    `${first ? formatProblem(first) : ''} ${others} ${ledger.refused} of ${ledger.read} rows are refused. ${listed} ${uri}`,
    ledger.problems.slice(0, shownProblems),
  );
}

/** Makes the failure of a dataset whose rows are fine, but too few, too many or not to be split. */
export function rejectForSize(source: string, ledger: RowLedger, reason: string): PermanentFailure {
  const counts = ledger.counts();
  const dropped = Object.entries(counts.dropped).map(([name, count]) => `${count} ${name}`);
  const books = `${counts.read} rows read, ${dropped.length > 0 ? `${dropped.join(', ')} dropped, ` : ''}${counts.accepted} accepted`;
  return new PermanentFailure('DatasetRejected', `${source}: ${reason} (${books})`, [counts]);
}
