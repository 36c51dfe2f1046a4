import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { renderConversation } from '../../domain/dataset/conversation-format.js';
import type { Split } from '../../domain/dataset.js';
import { canonicalJson } from '../../domain/json.js';
import { HashedFile } from './hashed-file.js';
import { LineReader } from './line-reader.js';
import type { Pace } from './pace.js';
import type { AcceptedRecord } from './take-in.js';

/** A file on local disk, ready to be uploaded. */
export interface LocalFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly records: number;
}

export interface WrittenSplits {
  readonly training: LocalFile;
  readonly validation: LocalFile;
  /** The validation split's records in canonical form. */
  readonly heldOut: LocalFile;
  /** Characters that the training split teaches or shows, for the estimate of tokens. */
  readonly trainingCharacters: number;
}

/** The second pass: renders the accepted records into one file a split, in the order they were read. */
export async function writeSplits(input: {
  acceptedPath: string;
  directory: string;
  /** A group that goes to validation whatever its own split; see `groupForValidation`. */
  validationGroup: string | null;
  pace: Pace;
}): Promise<WrittenSplits> {
  const files = await createFiles(input.directory);
  try {
    let trainingCharacters = 0;
    let done = 0;
    for await (const { split, record } of acceptedRecords(input.acceptedPath)) {
      const chosen: Split = record.groupKey === input.validationGroup ? 'validation' : split;
      files[chosen].add(renderConversation(record));
      if (chosen === 'validation') files.heldOut.add(canonicalJson(record));
      else trainingCharacters += charactersOf(record);
      done += 1;
      for (const file of Object.values(files)) if (file.isFlushDue) await file.flush();
      if (input.pace.isRestDue()) await input.pace.rest(`Wrote ${done} records`, done);
    }
    return {
      training: await finish(files.training),
      validation: await finish(files.validation),
      heldOut: await finish(files.heldOut),
      trainingCharacters,
    };
  } finally {
    for (const file of Object.values(files)) await file.abandon();
  }
}

async function createFiles(directory: string) {
  return {
    training: await HashedFile.create(join(directory, 'training.jsonl')),
    validation: await HashedFile.create(join(directory, 'validation.jsonl')),
    heldOut: await HashedFile.create(join(directory, 'held-out.jsonl')),
  };
}

/** Lines are split at LF alone: texts may hold other characters that Node's own line reader splits at. */
async function* acceptedRecords(path: string): AsyncIterable<AcceptedRecord> {
  const reader = new LineReader(Number.POSITIVE_INFINITY);
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    for (const row of reader.push(chunk)) yield JSON.parse(row.bytes.toString('utf8'));
  }
}

function charactersOf({ system, turns }: AcceptedRecord['record']): number {
  return turns.reduce((characters, turn) => characters + turn.text.length, system?.length ?? 0);
}

async function finish(file: HashedFile): Promise<LocalFile> {
  return { path: file.path, ...(await file.finish()) };
}
