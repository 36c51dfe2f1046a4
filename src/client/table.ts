/** Lines of a table whose columns are as wide as their widest cell; the first row is its head. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const rule = (rows[0] ?? []).map((_, column) => '-'.repeat(widthOf(rows, column)));
  return alignColumns([...rows.slice(0, 1), rule, ...rows.slice(1)]).map((line) => `  ${line}`);
}

/** Rows as lines, each column as wide as its widest cell; `flushRight` has the columns of amounts, from 0. */
export function alignColumns(
  rows: readonly (readonly string[])[],
  flushRight: readonly number[] = [],
): string[] {
  const widths = (rows[0] ?? []).map((_, column) => widthOf(rows, column));
  const align = (cell: string, column: number) =>
    flushRight.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return rows.map((row) => row.map(align).join('  ').trimEnd());
}

function widthOf(rows: readonly (readonly string[])[], column: number): number {
  return Math.max(...rows.map((row) => (row[column] ?? '').length));
}
