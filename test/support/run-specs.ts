import { randomUUID } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vitest } from './addresses.js';

/** A stylist lifecycle that is small enough for a test and still passes its gate. */
export function stylist(model: string, more: object = {}) {
  return {
    recipe: 'stylist',
    model,
    dataset: { source: { kind: 'builder', records: 400 } },
    validation: { samples: 100 },
    ...more,
  };
}

/** A lifecycle on a few ready conversations: the quickest that goes through every stage and is promoted. */
export function conversation(model: string, more: object = {}) {
  return {
    recipe: 'conversation',
    model,
    dataset: { source: { kind: 'file', path: conversationsFile() } },
    validation: { samples: 4 },
    ...more,
  };
}

/** Ready conversations, each with an answer of its own; other `subject`s make other datasets. */
export function conversationLines(count = 16, subject = 'item'): string[] {
  return Array.from({ length: count }, (_, number) =>
    JSON.stringify({
      schemaVersion: 'bedrock-conversation-2024',
      messages: [
        { role: 'user', content: [{ text: `Which colour has ${subject} ${number}?` }] },
        { role: 'assistant', content: [{ text: `The colour of ${subject} ${number} is blue.` }] },
      ],
    }),
  );
}

export function conversationsFile(subject = 'item', count = 16): string {
  return writeLines(`${subject}-${count}.jsonl`, conversationLines(count, subject));
}

let directory: string | null = null;

/**
 * Writes a file that lives as long as the test file. A name may be written again while a run of another test reads
 * it: readers see the old file or the new one, never an empty one.
 */
export function writeLines(name: string, lines: readonly string[]): string {
  directory ??= mkdtempSync(join(tmpdir(), 'anneal-test-data-'));
  const path = join(directory, name);
  const beside = `${path}.${randomUUID()}`;
  writeFileSync(beside, `${lines.join('\n')}\n`);
  renameSync(beside, path);
  return path;
}

vitest?.afterAll(() => {
  if (directory) rmSync(directory, { recursive: true, force: true });
  directory = null;
});
