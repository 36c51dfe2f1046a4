import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ObjectInventory, ObjectStore } from '../../src/activities/dataset/object-store.js';

/** Holds every object store to its promises. `setup` gives a store whose bucket may not exist yet. */
export function describeObjectStore(name: string, setup: () => Promise<ObjectStore>): void {
  describe(`object store: ${name}`, () => {
    let store: ObjectStore;
    const at = (key: string) => `s3://${store.bucket}/${key}`;
    beforeAll(async () => {
      store = await setup();
      await store.ensureBucket();
      await store.ensureBucket();
    });

    test('gives back what was put, byte for byte', async () => {
      const text = 'Zwölf Boxkämpfer 🥊\n{"a":1}\n';
      await store.put(at('text/one.jsonl'), text, 'application/x-ndjson');
      expect(await store.getText(at('text/one.jsonl'))).toBe(text);
      expect(await store.head(at('text/one.jsonl'))).toEqual({ bytes: Buffer.byteLength(text) });
      const bytes = randomBytes(100_000);
      await store.put(at('bytes'), bytes);
      expect(await readAll(await store.read(at('bytes')))).toEqual(bytes);
    });

    test('replaces what was there', async () => {
      await store.put(at('replaced'), 'old and longer');
      await store.put(at('replaced'), 'new');
      expect(await store.getText(at('replaced'))).toBe('new');
    });

    test('keeps an empty object apart from none', async () => {
      await store.put(at('empty'), '');
      expect(await store.getText(at('empty'))).toBe('');
      expect(await store.head(at('empty'))).toEqual({ bytes: 0 });
    });

    test('has nothing where nothing was put', async () => {
      expect(await store.getText(at('absent'))).toBeNull();
      expect(await store.read(at('absent'))).toBeNull();
      expect(await store.head(at('absent'))).toBeNull();
      expect(await store.list(at('absent/'))).toEqual([]);
    });

    test('writes if absent once, also when several try at the same moment', async () => {
      expect(await store.putIfAbsent(at('once'), 'first')).toBe(true);
      expect(await store.putIfAbsent(at('once'), 'second')).toBe(false);
      expect(await store.getText(at('once'))).toBe('first');
      const won = await Promise.all(
        ['a', 'b', 'c', 'd', 'e'].map((body) => store.putIfAbsent(at('race'), body)),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(['a', 'b', 'c', 'd', 'e'][won.indexOf(true)]).toBe(await store.getText(at('race')));
    });

    test.each([
      ['an empty file', 0],
      ['a small file', 1_000],
      ['a file of several parts', 20 * 1024 * 1024 + 7],
    ])('uploads %s from disk', async (_what, size) => {
      const folder = await mkdtemp(join(tmpdir(), 'anneal-object-store-'));
      const path = join(folder, 'file');
      const contents = randomBytes(size);
      await writeFile(path, contents);
      await store.putFile(at(`files/${size}`), path);
      expect(await store.head(at(`files/${size}`))).toEqual({ bytes: size });
      const stored = await readAll(await store.read(at(`files/${size}`)));
      expect(stored.equals(contents)).toBe(true);
      await rm(folder, { recursive: true });
    });

    test('lists everything below a prefix in order of key, however much it is', async () => {
      const keys = Array.from({ length: 1_101 }, (_, index) => `many/${String(index).padStart(5, '0')}`);
      for (let start = 0; start < keys.length; start += 50) {
        await Promise.all(keys.slice(start, start + 50).map((key) => store.put(at(key), key)));
      }
      await store.put(at('many-not-below'), '');
      expect(await store.list(at('many/'))).toEqual(keys.map(at));
    });

    test('copes with every character that a key may have', async () => {
      const keys = ['odd/a b+c', 'odd/ü%20', "odd/(x)!*'.json", 'odd/=&?#'];
      for (const key of keys) await store.put(at(key), key);
      for (const key of keys) expect(await store.getText(at(key)), key).toBe(key);
      const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(await store.list(at('odd/'))).toEqual(keys.sort(byBytes).map(at));
    });

    test('deletes, also what is absent', async () => {
      await store.put(at('deleted'), 'x');
      await store.delete(at('deleted'));
      await store.delete(at('deleted'));
      expect(await store.head(at('deleted'))).toBeNull();
    });
  });
}

/** Holds every store that a sweep looks through to its promises; `begin` starts an upload in parts. */
export function describeObjectInventory(
  name: string,
  setup: () => Promise<{
    store: ObjectStore & ObjectInventory;
    begin(key: string): Promise<void>;
  }>,
): void {
  describe(`object inventory: ${name}`, () => {
    let store: ObjectStore & ObjectInventory;
    let begin: (key: string) => Promise<void>;
    const at = (key: string) => `s3://${store.bucket}/${key}`;
    beforeAll(async () => {
      ({ store, begin } = await setup());
      await store.ensureBucket();
    });

    test('lists objects with size and age, a page at a time, from any place on', async () => {
      const keys = Array.from({ length: 1_003 }, (_, index) => `aged/${String(index).padStart(5, '0')}`);
      for (let start = 0; start < keys.length; start += 50) {
        await Promise.all(keys.slice(start, start + 50).map((key) => store.put(at(key), 'four')));
      }
      const first = await store.listPage(at('aged/'), null);
      expect(first.isLast).toBe(false);
      const last = first.objects.at(-1)?.uri ?? '';
      const second = await store.listPage(at('aged/'), last);
      expect(second.isLast).toBe(true);
      const objects = [...first.objects, ...second.objects];
      expect(objects.map(({ uri }) => uri)).toEqual(keys.map(at));
      for (const { bytes, modifiedAt } of objects) {
        expect(bytes).toBe(4);
        // The clock of a reply has whole seconds.
        expect(Date.parse(modifiedAt)).toBeLessThanOrEqual(Date.parse(second.observedAt) + 1_000);
      }
      expect((await store.listPage(at('aged/'), at('aged/01000'))).objects).toHaveLength(2);
      expect(await store.listPage(at('never/'), null)).toMatchObject({ objects: [], isLast: true });
    });

    test('lists uploads that came to no end, and gives them up, also twice', async () => {
      await begin('parts/one');
      await begin('parts/two');
      const { uploads, observedAt } = await store.listUploads(at('parts/'));
      expect(uploads.map(({ uri }) => uri).sort()).toEqual([at('parts/one'), at('parts/two')]);
      expect(Date.parse(uploads[0]?.startedAt ?? '')).toBeLessThanOrEqual(Date.parse(observedAt) + 1_000);
      const [one] = uploads;
      if (!one) throw new Error('no upload is listed');
      await store.abortUpload(one);
      await store.abortUpload(one);
      expect((await store.listUploads(at('parts/'))).uploads).toEqual(uploads.slice(1));
      expect((await store.listUploads(at('other/'))).uploads).toEqual([]);
    });
  });
}

async function readAll(body: Readable | null): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body ?? []) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
