import { tableLines } from '../../../src/client/table.js';

/** Counts in a table: rows by what was played, columns by what happened, a last row with their sums. */
export class Tally {
  readonly #rows = new Map<string, Map<string, number>>();
  readonly #columns: string[] = [];

  add(row: string, column: string, count = 1): void {
    if (!this.#columns.includes(column)) this.#columns.push(column);
    const cells = this.#rows.get(row) ?? new Map<string, number>();
    cells.set(column, (cells.get(column) ?? 0) + count);
    this.#rows.set(row, cells);
  }

  total(column: string): number {
    return [...this.#rows.values()].reduce((sum, cells) => sum + (cells.get(column) ?? 0), 0);
  }

  lines(): string[] {
    const rows = [...this.#rows]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, cells]) => [name, ...this.#columns.map((column) => String(cells.get(column) ?? 0))]);
    const sums = ['all', ...this.#columns.map((column) => String(this.total(column)))];
    return tableLines([['', ...this.#columns], ...rows, sums]);
  }
}
