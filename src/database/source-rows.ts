import pg from 'pg';
import type { PositionalQuery } from '../domain/dataset/named-parameters.js';
import { excerpt } from '../domain/dataset/problem.js';
import { PermanentFailure } from '../domain/failures.js';
import type { JsonObject } from '../domain/json.js';

/** A row of a query, as its columns have it: numbers of any size and dates as text. */
export interface SourceRow {
  readonly row: JsonObject;
  /** The table that the first key column comes from; the empty text where it is computed. */
  readonly table: string;
  /** For instance `twitter_id=42`; null where a key column is empty. */
  readonly key: string | null;
}

export interface SourceQuery {
  /** Name of the connection: an environment variable of the worker. */
  readonly connection: string;
  /** What the query is, for messages. */
  readonly subject: string;
  readonly query: PositionalQuery;
  /** Columns of the result that name a row. */
  readonly key: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Databases that datasets are read from. */
export interface SourceDatabases {
  /**
   * Reads a query's rows in the order of their keys, a bounded number at a time, in one read-only transaction:
   * every row is as it was when the first was read. Throws `PermanentFailure('InvalidInput')` for what another
   * try does not mend (no such connection, wrong password, wrong SQL), any other error to be retried.
   */
  read(query: SourceQuery): AsyncIterable<SourceRow>;
}

const rowsAtOnce = 200;
const connectionTimeoutMs = 10_000;
/** The first rows come once the database has sorted all of them. */
const statementTimeoutMs = 600_000;

/** What JavaScript holds without loss; everything else stays as the database writes it. */
const plainTypes = new Set<number>([
  pg.types.builtins.BOOL,
  pg.types.builtins.INT2,
  pg.types.builtins.INT4,
  pg.types.builtins.FLOAT4,
  pg.types.builtins.FLOAT8,
  pg.types.builtins.JSON,
  pg.types.builtins.JSONB,
]);

/** `urls` by the name of the environment variable that holds them; they appear in no message. */
export function createSourceDatabases(urls: Readonly<Record<string, string>>): SourceDatabases {
  return {
    async *read(query) {
      const url = Object.hasOwn(urls, query.connection) ? urls[query.connection] : undefined;
      if (url === undefined) throw unknownConnection(query.connection, Object.keys(urls));
      const client = await connect(url, query.connection);
      // A cut connection is told by the statement that it cuts.
      client.on('error', () => {});
      const stop = () => void client.end();
      query.signal?.addEventListener('abort', stop);
      try {
        query.signal?.throwIfAborted();
        yield* readRows(client, query);
      } catch (error) {
        query.signal?.throwIfAborted();
        throw toFailure(error, query);
      } finally {
        query.signal?.removeEventListener('abort', stop);
        await client.end();
      }
    },
  };
}

async function connect(url: string, name: string): Promise<pg.Client> {
  let client: pg.Client;
  try {
    client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectionTimeoutMs,
      statement_timeout: statementTimeoutMs,
      application_name: 'anneal dataset',
      types: {
        getTypeParser: ((type: number, format: 'text' | 'binary') =>
          plainTypes.has(type) ? pg.types.getTypeParser(type, format as 'text') : String) as never,
      },
    });
  } catch {
    // The error of the parser quotes the URL, and with it the password.
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: the environment variable ${name} holds no Postgres URL; allowed: postgres://user:password@host:5432/database.`,
    );
  }
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw connectionFailure(error, name);
  }
}

async function* readRows(client: pg.Client, { query, key }: SourceQuery): AsyncGenerator<SourceRow> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'");
  // As text and by code point, the same in every database. A cursor takes nothing but a query.
  const order = key.map((column) => `${pg.escapeIdentifier(column)}::text COLLATE "C"`);
  await client.query(`${beforeQuery}${query.text}\n) AS source_rows ORDER BY ${order.join(', ')}`, [
    ...query.values,
  ]);
  let table: string | null = null;
  for (;;) {
    const { rows, fields } = await client.query<JsonObject>(`FETCH ${rowsAtOnce} FROM anneal_rows`);
    table ??= await tableOf(client, fields, key);
    for (const row of rows) yield { row, table, key: keyOf(row, key) };
    if (rows.length < rowsAtOnce) return;
  }
}

const beforeQuery = 'DECLARE anneal_rows NO SCROLL CURSOR FOR SELECT * FROM (\n';

async function tableOf(
  client: pg.Client,
  fields: readonly pg.FieldDef[],
  [first]: readonly string[],
): Promise<string> {
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new PermanentFailure(
      'InvalidInput',
      `InvalidInput: two columns of the result are called "${twice}"; name one of them anew with AS.`,
    );
  }
  const origin = fields.find(({ name }) => name === first)?.tableID ?? 0;
  if (origin === 0) return '';
  const { rows } = await client.query<{ name: string }>('SELECT $1::oid::regclass::text AS name', [origin]);
  return rows[0]?.name ?? '';
}

function keyOf(row: JsonObject, columns: readonly string[]): string | null {
  const parts = columns.map((column) => [column, row[column]] as const);
  if (parts.some(([, value]) => value === null || value === undefined)) return null;
  return parts.map(([column, value]) => `${column}=${excerpt(String(value), 80)}`).join(', ');
}

function unknownConnection(name: string, known: readonly string[]): PermanentFailure {
  return new PermanentFailure(
    'InvalidInput',
    `InvalidInput: dataset.source.connection: found "${name}", which the worker's environment does not have; allowed: ${known.join(', ') || 'none here'}. Set ${name} for the worker and start it again.`,
  );
}

/** Wrong credentials and databases that do not exist stay so; a server that does not answer may come back. */
function connectionFailure(error: unknown, name: string): Error {
  const { code = '', message } = error as { code?: string; message: string };
  const what = `could not connect to the database that ${name} names: ${message || code}`;
  const isPermanent = ['28000', '28P01', '3D000'].includes(code);
  return isPermanent
    ? new PermanentFailure('InvalidInput', `InvalidInput: ${what}. Correct ${name} for the worker.`)
    : new Error(what);
}

/** Classes 22 and 42 are faults of the data and the SQL, 25 a query that wants to write. */
function toFailure(error: unknown, { subject, query }: SourceQuery): unknown {
  if (!(error instanceof pg.DatabaseError) || !/^(22|25006|42|0A)/.test(error.code ?? '')) return error;
  const position = Number(error.position ?? 0) - beforeQuery.length;
  const isWithin = position > 0 && position <= query.text.length;
  const place = isWithin ? `:${query.text.slice(0, position).split('\n').length}` : '';
  const hint = error.hint ? ` ${error.hint}` : '';
  return new PermanentFailure(
    'InvalidInput',
    `InvalidInput: ${subject}${place}: Postgres says: ${error.message} (${error.code}).${hint} Correct the query; it may only read.`,
  );
}
