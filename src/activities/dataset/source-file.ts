/** One file of rows. */
export interface SourceFile {
  /** As the user knows it: the path or URI that was given, or what was found below it. */
  readonly name: string;
  /** The same wherever the data lies, so that moving a file changes no record: its name or path below the folder. */
  readonly label: string;
  /** `document`: one JSON list, or objects one after the other; `lines`: JSON Lines. */
  readonly layout: 'lines' | 'document';
  open(): AsyncIterable<Uint8Array>;
}

/** How a file is read, by the end of its name; null for a file that holds no rows. */
export function layoutOf(name: string): SourceFile['layout'] | null {
  if (/\.(jsonl|ndjson)$/i.test(name)) return 'lines';
  return /\.json$/i.test(name) ? 'document' : null;
}

/** Orders names by code unit, the same on every machine. */
export function inNameOrder(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
