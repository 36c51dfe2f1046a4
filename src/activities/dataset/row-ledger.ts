import { excerpt } from '../../domain/dataset/problem.js';
import type { DatasetCounts, DatasetProblem } from '../../domain/dataset.js';
import type { RowProblem } from '../../domain/recipe.js';

/** So many problems are kept in full; further ones are only counted. */
export const keptProblems = 10_000;

/** A manifest travels through histories: of labels beyond this many, the rarest are counted as `other`. */
const keptLabels = 100;

/** Texts of recipes and rules are cut here, because problems travel through histories too. */
const longestText = 1_000;

/** Where a row stands in its source. */
export interface RowPlace {
  readonly file: string;
  /** Of a table's row. */
  readonly key?: string;
  readonly line: number;
  readonly byteOffset: number;
}

/**
 * The books of one build. Every row that is read is closed exactly once, by `accept`, `drop` or `refuse`,
 * so that accepted + dropped = read.
 */
export class RowLedger {
  /** The first `keptProblems`, in order of the rows. */
  readonly problems: DatasetProblem[] = [];
  problemCount = 0;
  accepted = 0;
  refused = 0;
  readonly notes = new Map<string, number>();
  private readonly dropped = new Map<string, number>();
  private readonly byLabel = new Map<string, number>();

  get read(): number {
    return this.accepted + sumOf(this.dropped);
  }

  accept(label: string | null): void {
    this.accepted += 1;
    add(this.byLabel, excerpt(label ?? 'none', 80), 1);
  }

  /** A row that is left out without being wrong. */
  drop(reason: string): void {
    add(this.dropped, reason, 1);
  }

  /** A row that is wrong, and with it the whole dataset; counted under its first problem. */
  refuse(place: RowPlace, problems: readonly [RowProblem, ...RowProblem[]]): void {
    this.refused += 1;
    this.drop(problems[0].code);
    for (const { code, message, remedy } of problems) {
      this.problemCount += 1;
      if (this.problems.length >= keptProblems) continue;
      this.problems.push({
        ...place,
        code,
        message: excerpt(message, longestText),
        remedy: excerpt(remedy, longestText),
      });
    }
  }

  note(name: string, times = 1): void {
    if (times > 0) add(this.notes, name, times);
  }

  counts(): DatasetCounts {
    return {
      read: this.read,
      accepted: this.accepted,
      dropped: sorted(this.dropped),
      byLabel: sorted(mostFrequent(this.byLabel)),
    };
  }

  sortedNotes(): Record<string, number> {
    return sorted(this.notes);
  }
}

function add(counts: Map<string, number>, name: string, times: number): void {
  counts.set(name, (counts.get(name) ?? 0) + times);
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function mostFrequent(counts: ReadonlyMap<string, number>): Map<string, number> {
  if (counts.size <= keptLabels) return new Map(counts);
  const ordered = [...counts].sort(([one, ones], [other, others]) => others - ones || (one < other ? -1 : 1));
  const kept = new Map(ordered.slice(0, keptLabels));
  for (const [, count] of ordered.slice(keptLabels)) add(kept, 'other', count);
  return kept;
}
