import { tableLines } from '../../../src/client/table.js';
import { titleOf } from './calls.js';
import { type Cell, faults, positions } from './cells.js';

/** How every cell ended: a row for each call, a column for each fault, a letter for each position. */
export class Matrix {
  readonly #rows = new Map<string, Map<string, Map<string, string>>>();

  /** `letter` is that of a class, with `!` where another one was expected. */
  add({ call, fault, position }: Cell, letter: string): void {
    const row = this.#rows.get(titleOf(call)) ?? new Map<string, Map<string, string>>();
    const letters = row.get(fault) ?? new Map<string, string>();
    letters.set(position, letter);
    row.set(fault, letters);
    this.#rows.set(titleOf(call), row);
  }

  /** Columns that nothing was played in are left out; `.` stands for a position that was not played. */
  lines(): string[] {
    const columns = Object.keys(faults).filter((fault) =>
      [...this.#rows.values()].some((row) => row.has(fault)),
    );
    const rows = [...this.#rows]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([title, row]) => [title, ...columns.map((fault) => lettersOf(row.get(fault)))]);
    return tableLines([['first, nth, always', ...columns], ...rows]);
  }
}

function lettersOf(letters: ReadonlyMap<string, string> | undefined): string {
  if (!letters) return '';
  return positions.map((position) => letters.get(position) ?? '.').join('');
}
