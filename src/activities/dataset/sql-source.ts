import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SourceDatabases, SourceRow } from '../../database/source-rows.js';
import { toPositional } from '../../domain/dataset/named-parameters.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { DatasetSource } from '../../domain/run-spec.js';

export type SqlSource = Extract<DatasetSource, { kind: 'sql' }>;

export interface SqlSurroundings {
  readonly databases: SourceDatabases;
  readonly workingDirectory: string;
  readonly signal?: AbortSignal;
}

/** Rows of a query, in the order of their keys. */
export interface OpenedRows {
  readonly kind: 'rows';
  readonly description: string;
  /** Fewer than this refuse the dataset. */
  readonly minimum: number;
  read(): AsyncIterable<SourceRow>;
}

/** A query of a person is a page; this keeps a wrong path from being sent to a database. */
const longestQuery = 100_000;

/** Reads the query's file and fills in its parameters; the database is asked when the rows are read. */
export async function openSql(source: SqlSource, surroundings: SqlSurroundings): Promise<OpenedRows> {
  const { connection, path, parameters = {}, key, minimumRows = 0 } = source;
  const { databases, workingDirectory, signal } = surroundings;
  const query = toPositional(await readQuery(path, workingDirectory), parameters, path);
  return {
    kind: 'rows',
    description: `sql:${path} ${JSON.stringify(parameters)} from ${connection}`,
    minimum: minimumRows,
    read: () => databases.read({ connection, subject: path, query, key, signal }),
  };
}

async function readQuery(path: string, workingDirectory: string): Promise<string> {
  const place = resolve(workingDirectory, path);
  const text = await readFile(place, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw unusable(path, `cannot be read (${error.code}, looked for ${place})`);
  });
  if (text.trim() === '') throw unusable(path, 'is empty');
  if (text.length > longestQuery) throw unusable(path, `has ${text.length} characters`);
  return text;
}

function unusable(path: string, found: string): PermanentFailure {
  return new PermanentFailure(
    'InvalidInput',
    `dataset.source.path ${JSON.stringify(path)} ${found}. Give a file with one SELECT, of at most ${longestQuery} characters. Relative paths start where the worker does.`,
  );
}
