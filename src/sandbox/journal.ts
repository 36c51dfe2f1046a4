import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';

/**
 * An append-only file with one JSON event a line: the only truth about what happened. An event that
 * `append` returned from survives `kill -9`, and with `durable` a power cut too. A last line that was cut
 * off in the middle never returned to anybody, and is dropped when the journal is opened.
 */
export class Journal<Event> {
  readonly #descriptor: number;

  /** Opens the journal and hands every stored event to `replay`, oldest first. */
  constructor(path: string, replay: (event: Event) => void) {
    if (existsSync(path)) replayFile(path, replay);
    this.#descriptor = openSync(path, 'a');
  }

  append(event: Event, durable: boolean): void {
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    let written = 0;
    while (written < line.length) written += writeSync(this.#descriptor, line, written);
    if (durable) fsyncSync(this.#descriptor);
  }

  close(): void {
    fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
  }
}

function replayFile<Event>(path: string, replay: (event: Event) => void): void {
  const bytes = readFileSync(path);
  let start = 0;
  let line = 1;
  for (let end = bytes.indexOf(10, start); end >= 0; end = bytes.indexOf(10, start)) {
    replay(parseLine<Event>(bytes.toString('utf8', start, end), path, line));
    start = end + 1;
    line += 1;
  }
  if (start < bytes.length) truncateSync(path, start);
}

function parseLine<Event>(text: string, path: string, line: number): Event {
  try {
    return JSON.parse(text) as Event;
  } catch (error) {
    throw new Error(
      `${path}, line ${line} is not JSON; restore the file or remove the sandbox's state directory to start afresh.`,
      { cause: error },
    );
  }
}
