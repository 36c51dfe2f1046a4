import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrateToLatest } from '../../src/database/migrate.js';
import type { DatasetProblem } from '../../src/domain/dataset.js';
import { createProfileScorerRecipe } from '../../src/recipes/profile-scorer/recipe.js';
import { DatasetWorkshop, failureOf } from '../support/dataset-build.js';
import { dropDatabase, newDatabaseUrl } from '../support/postgres.js';

const recipe = createProfileScorerRecipe('recipes/profile-scorer');
const connection = 'PROFILES_DATABASE_URL';
const scorers = ['claude-haiku-20240307', 'gemini-2.0-flash'];

let databaseUrl: string;
let client: pg.Client;
let workshop: DatasetWorkshop;

beforeAll(async () => {
  databaseUrl = newDatabaseUrl();
  await migrateToLatest(databaseUrl);
  client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query(`
    CREATE TABLE user_profiles (twitter_id bigint PRIMARY KEY, username text NOT NULL, display_name text, bio text,
      created_at timestamptz, follower_count integer, location text, likely_is text, category text);
    CREATE TABLE profile_scores (twitter_id bigint REFERENCES user_profiles, score numeric(3, 2), reason text,
      scored_by text NOT NULL, scored_at timestamptz NOT NULL)`);
});

afterAll(async () => {
  await client?.end();
  await dropDatabase(databaseUrl);
});

beforeEach(async () => {
  workshop = new DatasetWorkshop({
    [connection]: databaseUrl,
    BROKEN_DATABASE_URL: 'postgres://me:secret@[',
  });
  copyFileSync('recipes/profile-scorer/export.sql', join(workshop.folder, 'export.sql'));
  await client.query('TRUNCATE user_profiles, profile_scores');
});

afterEach(() => workshop.remove());

/** Invented profiles with one score each; the key is larger than JavaScript's numbers can be. */
async function insertProfiles(count: number): Promise<void> {
  await client.query(
    `INSERT INTO user_profiles SELECT 9007199254740993 + n, 'person_' || n, 'Person ' || n, 'Postdoc number ' || n,
       '2015-05-05 23:30:00-02', n, 'Northfield', 'person', 'researcher' FROM generate_series(1, $1) AS n`,
    [count],
  );
  await client.query(
    `INSERT INTO profile_scores SELECT twitter_id, 0.90, 'Postdoc', 'gemini-2.0-flash', '2024-01-01'
       FROM user_profiles`,
  );
}

function build(change: object = {}) {
  const source = {
    kind: 'sql' as const,
    connection,
    path: 'export.sql',
    parameters: { scorers },
    key: ['twitter_id'],
    ...change,
  };
  return workshop.build({ source, recipe, validationShare: 0.25 });
}

async function refusal(change: object): Promise<string> {
  const failure = await failureOf(build(change));
  expect(failure.type).toBe('InvalidInput');
  return failure.message;
}

describe('rows of a database as a source', () => {
  it('become records, one a profile with its newest score, whatever order the tables have them in', async () => {
    await insertProfiles(450);
    const first = await build();
    expect(first.counts).toEqual({ read: 450, accepted: 450, dropped: {}, byLabel: { researcher: 450 } });
    expect(workshop.text(first.training.uri)).toContain('created_at: 2015-05-06');

    await client.query(`UPDATE user_profiles SET likely_is = 'somebody' WHERE twitter_id % 3 = 0`);
    await client.query(
      `INSERT INTO profile_scores SELECT twitter_id, 0.10, 'Outdated', $1, '2023-01-01' FROM user_profiles`,
      [scorers[0]],
    );
    await client.query(
      `INSERT INTO profile_scores SELECT twitter_id, 0.20, 'Of no named scorer', 'other', now() FROM user_profiles`,
    );
    expect((await build()).sha256).toBe(first.sha256);
  });

  it('keep keys of any size', async () => {
    await insertProfiles(24);
    const manifest = await build();
    const heldOut = workshop
      .text(manifest.heldOut?.uri ?? '')
      .trim()
      .split('\n');
    for (const line of heldOut) {
      const record = JSON.parse(line) as { id: string; source: string };
      expect(record.source).toBe(`sql:user_profiles#twitter_id=${record.id}`);
      expect(BigInt(record.id)).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER));
    }
  });

  it('are refused by table and key where they cannot be used', async () => {
    await insertProfiles(12);
    await client.query(`UPDATE profile_scores SET score = 1.2 WHERE twitter_id = 9007199254740997`);
    const failure = await failureOf(build());
    expect(failure.type).toBe('DatasetRejected');
    expect(failure.message).toMatch(
      /^user_profiles twitter_id=9007199254740997 \(row 4\) NotAScoredProfile: score/,
    );
    expect((failure.details[0] as DatasetProblem).key).toBe('twitter_id=9007199254740997');
  });

  it('are refused where two have one key, or one has none', async () => {
    await insertProfiles(10);
    workshop.write(
      'twice.sql',
      `SELECT username AS handle, score, reason, nullif(left(username, 8), 'person_3') AS id
       FROM user_profiles JOIN profile_scores USING (twitter_id)`,
    );
    const failure = await failureOf(build({ path: 'twice.sql', parameters: {}, key: ['id'] }));
    expect(failure.message).toContain('the result id=person_1 (row 2) DuplicateKey');
    expect((failure.details as DatasetProblem[]).map(({ code }) => code)).toEqual([
      'DuplicateKey',
      'MissingKey',
    ]);
  });

  it('are refused where there are fewer than the recipe asks for', async () => {
    await insertProfiles(12);
    const failure = await failureOf(build({ minimumRows: 1000 }));
    expect(failure.type).toBe('DatasetRejected');
    expect(failure.message).toContain('12 rows, but dataset.source.minimumRows asks for 1000');
  });
});

describe('a query that cannot be run', () => {
  it.each([
    ['wrong SQL', 'SELECT\n  nothing\nFROM user_profiles', 'query.sql:2: Postgres says: column "nothing"'],
    ['a table that is not there', 'SELECT * FROM nowhere', 'relation "nowhere" does not exist'],
    ['two statements', 'SELECT 1; DROP TABLE user_profiles', 'Postgres says: syntax error'],
    ['something else than a query', "DELETE FROM user_profiles RETURNING '1'", 'Postgres says: syntax error'],
    ['a key that it does not select', 'SELECT 1 AS other', 'column "twitter_id" does not exist'],
    [
      'columns of one name',
      'SELECT 1 AS twitter_id, 2 AS a, 3 AS a',
      'two columns of the result are called "a"',
    ],
    ['an empty file', ' ', 'is empty'],
  ])('is refused at once: %s', async (_, text, message) => {
    await insertProfiles(1);
    workshop.write('query.sql', text);
    expect(await refusal({ path: 'query.sql', parameters: {} })).toContain(message);
    expect((await client.query('SELECT 1 FROM user_profiles')).rowCount).toBe(1);
  });

  it('may not write, even where it calls a function that does', async () => {
    await client.query(`CREATE OR REPLACE FUNCTION empty_profiles() RETURNS integer LANGUAGE sql AS
      'DELETE FROM user_profiles; SELECT 1'`);
    await insertProfiles(1);
    workshop.write('query.sql', 'SELECT empty_profiles() AS twitter_id');
    expect(await refusal({ path: 'query.sql', parameters: {} })).toContain('read-only transaction');
    expect((await client.query('SELECT 1 FROM user_profiles')).rowCount).toBe(1);
  });

  it('names the connections that there are, and never what they hold', async () => {
    const unknown = await refusal({ connection: 'OTHER_DATABASE_URL' });
    expect(unknown).toContain('found "OTHER_DATABASE_URL"');
    expect(unknown).toContain(`allowed: ${connection}, BROKEN_DATABASE_URL. Set OTHER_DATABASE_URL`);
    const broken = await failureOf(build({ connection: 'BROKEN_DATABASE_URL' }));
    expect(broken.message).toContain('the environment variable BROKEN_DATABASE_URL holds no Postgres URL');
    expect(JSON.stringify([broken, broken.message, String(broken.stack), broken.cause])).not.toContain(
      'secret',
    );
  });

  it('is tried again where the database does not answer', async () => {
    workshop.remove();
    workshop = new DatasetWorkshop({ [connection]: 'postgres://me:secret@127.0.0.1:9/none' });
    copyFileSync('recipes/profile-scorer/export.sql', join(workshop.folder, 'export.sql'));
    const error = await build().catch((reason: Error) => reason);
    expect(error).toMatchObject({ name: 'Error' });
    expect((error as Error).message).toContain(`could not connect to the database that ${connection} names`);
    expect((error as Error).message).not.toContain('secret');
  });

  it('ends with the build that was cancelled', async () => {
    workshop.write('slow.sql', 'SELECT pg_sleep(60), 1 AS twitter_id');
    const source = { kind: 'sql' as const, connection, path: 'slow.sql', key: ['twitter_id'] };
    const started = Date.now();
    const signal = AbortSignal.timeout(500);
    await expect(workshop.build({ source, recipe }, { signal })).rejects.toThrow(/timeout/);
    expect(Date.now() - started).toBeLessThan(20_000);
  });
});
