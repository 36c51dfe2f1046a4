import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { buildDataset } from '../../activities/dataset/build-dataset.js';
import type { ObjectStore } from '../../activities/dataset/object-store.js';
import { createSourceDatabases } from '../../database/source-rows.js';
import type { Recipe } from '../../domain/recipe.js';
import { type Comparison, compare, inTurn, secondsOf } from './comparison.js';

/** As many as Nova trains on; with this length a row they make about 50 MB. */
const rows = 20_000;
const wordsInAnswer = 380;

/** Megabytes a second of a whole dataset build, against reading the same file, and against a naive builder. */
export async function benchDatasetBuilder(
  recipe: Recipe,
  folder: string,
  repetitions: number,
  signal: AbortSignal,
): Promise<Comparison[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const path = join(folder, 'conversations.jsonl');
    await writeFile(path, conversations());
    const megabytes = (await stat(path)).size / 1e6;
    const rate = async (work: () => Promise<void>) => megabytes / (await secondsOf(work));
    const build = async (repetition: number) => {
      const destination = await mkdtemp(join(folder, 'built-'));
      const speed = await rate(() => buildOurs(recipe, path, { destination, repetition, signal }));
      await rm(destination, { recursive: true });
      return speed;
    };
    const sides = {
      ours: build,
      floor: () => rate(() => splitAndParse(path)),
      naive: () => rate(() => buildNaively(path, join(folder, 'naive.jsonl'))),
    };
    const measured = await inTurn(sides, repetitions, signal);
    const header = { ours: 'buildDataset to a folder', unit: 'MB/s', better: 'higher' } as const;
    const remarks = [
      `${rows} generated conversations, ${megabytes.toFixed(1)} MB, no warm-up.`,
      'Ours also checks structure, guardrails and duplicates, splits, renders canonically and hashes.',
      `The recipe is "${recipe.name}", whose ruleset has no patterns: what patterns cost, the guardrails comparison says.`,
    ];
    return [
      compare(
        {
          ...header,
          name: 'dataset builder, floor',
          against: 'split the buffer and JSON.parse, nothing else',
        },
        measured.map(({ ours, floor }) => ({ ours, against: floor })),
        remarks,
      ),
      compare(
        { ...header, name: 'dataset builder, naive', against: 'parse, stringify, hash and write row by row' },
        measured.map(({ ours, naive }) => ({ ours, against: naive })),
        remarks,
      ),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildOurs(
  recipe: Recipe,
  path: string,
  { destination, repetition, signal }: { destination: string; repetition: number; signal: AbortSignal },
) {
  const objects = folderStore(destination);
  const manifest = await buildDataset(
    {
      recipe,
      source: { kind: 'file', path },
      validationShare: 0.1,
      destination: `s3://bench/${repetition}`,
      format: 'bedrock-conversation-2024',
    },
    {
      objects,
      databases: createSourceDatabases({}),
      workingDirectory: destination,
      temporaryDirectory: destination,
      signal,
    },
  );
  if (manifest.records !== rows) throw new Error(`${manifest.records} of ${rows} rows were built`);
}

/** Keeps what a build writes in a folder: a copy on disk, where production has an upload. */
function folderStore(folder: string): ObjectStore {
  const place = (uri: string) => join(folder, basename(uri));
  const unused = async () => {
    throw new Error('A dataset build of a local file only writes');
  };
  return {
    bucket: 'bench',
    ensureBucket: async () => {},
    put: (uri, body) => writeFile(place(uri), body),
    putFile: (uri, path) => copyFile(path, place(uri)),
    putIfAbsent: unused,
    getText: unused,
    read: unused,
    head: unused,
    list: unused,
    delete: unused,
  };
}

async function splitAndParse(path: string): Promise<void> {
  const buffer = await readFile(path);
  let parsed = 0;
  for (let start = 0; start < buffer.length; ) {
    const end = buffer.indexOf(10, start);
    JSON.parse(buffer.toString('utf8', start, end));
    parsed += 1;
    start = end + 1;
  }
  if (parsed !== rows) throw new Error(`${parsed} of ${rows} rows were read`);
}

async function buildNaively(path: string, output: string): Promise<void> {
  const seen = new Set<string>();
  const file = createWriteStream(output);
  const contents = createHash('sha256');
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    if (line === '') continue;
    const text = JSON.stringify(JSON.parse(line));
    const hash = createHash('sha256').update(text).digest('hex');
    if (seen.has(hash)) continue;
    seen.add(hash);
    contents.update(text);
    if (!file.write(`${text}\n`)) await once(file, 'drain');
  }
  file.end();
  await finished(file);
}

const vocabulary =
  'coat collar sleeve seam linen wool cut line drape color pocket hem weekend evening morning garden station letter river window table paper quiet bright steady simple careful early late north south answer question number total reason order'.split(
    ' ',
  );

function conversations(): string {
  let state = 1;
  const next = (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * limit);
  };
  const words = (count: number) =>
    Array.from({ length: count }, () => vocabulary[next(vocabulary.length)]).join(' ');
  const lines = Array.from({ length: rows }, (_, index) =>
    JSON.stringify({
      schemaVersion: 'bedrock-conversation-2024',
      system: [{ text: 'You answer in plain words.' }],
      messages: [
        { role: 'user', content: [{ text: `Question ${index}: ${words(20)}?` }] },
        { role: 'assistant', content: [{ text: `${words(wordsInAnswer)}.` }] },
      ],
    }),
  );
  return `${lines.join('\n')}\n`;
}
