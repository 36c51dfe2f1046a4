import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DatasetManifest } from '../../src/domain/dataset.js';
import { DatasetWorkshop, exampleRow, exampleRows, failureOf } from '../support/dataset-build.js';
import { exampleRecipe } from '../support/example-recipe.js';

let workshop: DatasetWorkshop;
beforeEach(() => {
  workshop = new DatasetWorkshop();
});
afterEach(() => workshop.remove());

async function refusal(source: Parameters<DatasetWorkshop['build']>[0]['source']): Promise<string> {
  const failure = await failureOf(workshop.build({ source }));
  expect(failure.type).toBe('InvalidInput');
  return failure.message;
}

describe('a file as a source', () => {
  it('is found from the working directory, from the root and in object storage, with the same result', async () => {
    workshop.write('rows.jsonl', exampleRows(8));
    await workshop.objects.put('s3://data/set/rows.jsonl', exampleRows(8));
    const paths = ['rows.jsonl', join(workshop.folder, 'rows.jsonl'), 's3://data/set/rows.jsonl'];
    const hashes = new Set<string>();
    for (const path of paths) hashes.add((await workshop.build({ source: { kind: 'file', path } })).sha256);
    expect(hashes.size).toBe(1);
  });

  it.each([
    ['that does not exist', 'missing.jsonl', 'does not exist (looked for '],
    ['below a file', 'rows.jsonl/deeper', 'does not exist'],
    ['that is a directory', '.', 'is a directory. For all files below it, write "kind": "folder"'],
    ['that is empty', 'empty.jsonl', 'is an empty file'],
    ['that is a loop of links', 'loop', 'is no usable path (ELOOP)'],
    ['with a NUL', 'a\0b', 'is no usable path'],
    ['that is a device', '/dev/null', 'is not a regular file'],
    ['that is a missing object', 's3://data/missing.jsonl', 'does not exist'],
    ['that is an empty object', 's3://data/empty.jsonl', 'is empty'],
    ['that is a prefix', 's3://data/set/', 'write "kind": "folder"'],
    ['that is a bucket', 's3://data', 'is not of the form s3://bucket/key'],
  ])('is refused for a path %s', async (_, path, message) => {
    workshop.write('rows.jsonl', exampleRows(8));
    workshop.write('empty.jsonl', '');
    symlinkSync('loop', join(workshop.folder, 'loop'));
    await workshop.objects.put('s3://data/empty.jsonl', '');
    expect(await refusal({ kind: 'file', path })).toContain(message);
  });
});

describe('a folder as a source', () => {
  it('takes all .json and .jsonl files below it in order of path, and nothing else', async () => {
    mkdirSync(join(workshop.folder, 'data/b'), { recursive: true });
    workshop.write('data/c.jsonl', exampleRows(4, 20));
    workshop.write('data/b/two.json', `[\n${exampleRow(10)},\n${exampleRow(11)}]`);
    workshop.write('data/a.json', `{"question":"One?",\n"answer":"one"}`);
    workshop.write('data/empty.jsonl', '');
    workshop.write('data/readme.md', 'not data');
    const manifest = await workshop
      .build({
        source: { kind: 'folder', path: 'data' },
        recipe: exampleRecipe({ builder: null }),
        validationShare: 0,
      })
      .catch((error: Error) => error.message);
    expect(manifest).toContain('7 records are left');
    workshop.write('data/d.jsonl', `${exampleRows(3, 30)}{"broken\n`);
    const failure = await failureOf(workshop.build({ source: { kind: 'folder', path: 'data/' } }));
    expect(failure.message).toContain('data/d.jsonl:4 (byte ');
    workshop.write('data/d.jsonl', exampleRows(3, 30));
    const built = await workshop.build({ source: { kind: 'folder', path: 'data' } });
    expect(built.notes).toEqual({ EmptyFile: 1 });
    const order = Array.from(
      workshop.text(built.training.uri).matchAll(/Question (\d+)|One/g),
      ([text]) => text,
    );
    expect(order.slice(0, 4)).toEqual(['One', 'Question 10', 'Question 11', 'Question 20']);
  });

  it('gives the same dataset from disk and from object storage', async () => {
    mkdirSync(join(workshop.folder, 'data'));
    for (const name of ['b.jsonl', 'a.jsonl']) {
      const rows = exampleRows(10, name === 'a.jsonl' ? 0 : 10);
      workshop.write(`data/${name}`, rows);
      await workshop.objects.put(`s3://data/set/${name}`, rows);
    }
    await workshop.objects.put('s3://data/settled/other.jsonl', exampleRows(3, 90));
    const onDisk = await workshop.build({ source: { kind: 'folder', path: 'data' }, validationShare: 0.5 });
    const stored = await workshop.build({
      source: { kind: 'folder', path: 's3://data/set' },
      validationShare: 0.5,
    });
    expect(stored.sha256).toBe(onDisk.sha256);
    expect(stored.heldOut?.sha256).toBe(onDisk.heldOut?.sha256);
  });

  it('is refused when it is a file, missing or without data', async () => {
    workshop.write('rows.txt', exampleRows(8));
    expect(await refusal({ kind: 'folder', path: 'rows.txt' })).toContain('write "kind": "file"');
    expect(await refusal({ kind: 'folder', path: 'nowhere' })).toContain('does not exist');
    expect(await refusal({ kind: 'folder', path: '.' })).toContain('holds no .json or .jsonl file');
    expect(await refusal({ kind: 'folder', path: 's3://data/none/' })).toContain('no .json or .jsonl object');
  });
});

describe('a builder as a source', () => {
  it("takes what is not given from the recipe's defaults", async () => {
    const manifest = await workshop.build({ source: { kind: 'builder' } });
    expect(manifest).toMatchObject({
      records: 40,
      source: 'builder:counting records=40 seed=0',
      counts: { byLabel: { even: 20, odd: 20 } },
    });
  });

  it('is refused with the names that are allowed', async () => {
    expect(await refusal({ kind: 'builder', backend: 'teacher' })).toContain(
      'dataset.source.backend is "teacher"; the recipe "example" builds with "counting" or "other"',
    );
    const recipe = exampleRecipe({ builder: null });
    const failure = await failureOf(workshop.build({ source: { kind: 'builder' }, recipe }));
    expect(failure.type).toBe('InvalidInput');
    expect(failure.message).toContain('has no builder. Give "file" or "folder"');
  });

  it('is refused when it fails or makes another number of records', async () => {
    const broken = (build: () => never[]) => exampleRecipe({ builder: { backends: ['counting'], build } });
    const source = { kind: 'builder' } as const;
    const short = await failureOf(workshop.build({ source, recipe: broken(() => []) }));
    expect(short.message).toContain('made 0 records instead of 40');
    const recipe = broken(() => {
      throw new Error('no phrases');
    });
    const failed = await failureOf(workshop.build({ source, recipe }));
    expect(failed.message).toBe('builder:counting failed after 0 records: no phrases');
  });
});

describe('a manifest as a source', () => {
  const built = () => workshop.buildFile(exampleRows(40), { validationShare: 0.2 });
  const load = (uri: string) => workshop.build({ source: { kind: 'manifest', uri } });

  it('gives the dataset that was built', async () => {
    const manifest = await built();
    expect(await load(manifest.manifestUri)).toEqual(manifest);
  });

  it.each<[string, (manifest: DatasetManifest) => Promise<void>, string]>([
    ['is gone', (manifest) => workshop.objects.delete(manifest.training.uri), 'which does not exist'],
    ['is longer', (manifest) => workshop.objects.put(manifest.training.uri, 'x'), 'which has 1'],
    [
      'has other contents',
      async (manifest) => {
        const uri = manifest.heldOut?.uri ?? '';
        await workshop.objects.put(uri, workshop.text(uri).replace('Question', 'Cuestion'));
      },
      'records the SHA-256',
    ],
  ])('is refused when a file %s', async (_, change, message) => {
    const manifest = await built();
    await change(manifest);
    const failure = await failureOf(load(manifest.manifestUri));
    expect(failure.type).toBe('DatasetRejected');
    expect(failure.message).toContain(message);
  });

  it('is refused when it is missing or something else', async () => {
    const uri = 's3://data/manifest.json';
    expect(await refusal({ kind: 'manifest', uri })).toContain('does not exist');
    await workshop.objects.put(uri, '{"schema": ');
    expect(await refusal({ kind: 'manifest', uri })).toContain('is not JSON');
    await workshop.objects.put(uri, '{"schema":"dataset-manifest/v1"}');
    expect(await refusal({ kind: 'manifest', uri })).toContain('at training');
  });
});
