import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../src/activities/dataset/object-store.js';
import { createNodeLlamaCppEngine } from '../../src/activities/inference/llama-cpp/node-llama-cpp.js';
import { createLocalParityMeter } from '../../src/activities/parity/local/meter.js';
import type { ParityMeasurements, ParityMeter } from '../../src/activities/parity/meter.js';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { homeAt } from '../../src/client/stack/home.js';
import type { Artifact, Quantization } from '../../src/domain/artifact.js';
import { defaultTolerances, fileRow, type ParityRow } from '../../src/domain/parity.js';
import { newObjectStore } from '../support/bedrock-training.js';
import { startTestSandbox } from '../support/sandbox.js';
import {
  convertToGguf,
  hyperparameters,
  makeTinyAdapter,
  makeTinyModel,
  python,
  requireSetup,
  run,
  writeConversations,
} from './programs.js';

let folder: string;
let home: string;
let store: ObjectStore;
let sandbox: Awaited<ReturnType<typeof startTestSandbox>>;
let meter: ParityMeter;
let modelId: string;

const prompts = ['Ada', 'Ben', 'Cleo', 'Dan'].map((name, index) => ({
  id: name,
  system: 'Answer in JSON.',
  turns: [{ role: 'user' as const, text: `Guest ${index} is called ${name}.` }],
}));

beforeAll(async () => {
  requireSetup();
  folder = mkdtempSync(join(tmpdir(), 'anneal parity '));
  home = join(folder, 'home');
  mkdirSync(join(home, 'local/base-models'), { recursive: true });
  const baseModel = makeTinyModel(join(home, 'local/base-models/tiny'), 1);
  const trained = await run('train', {
    directory: join(folder, 'job'),
    baseModel,
    trainingFile: writeConversations(join(folder, 'training.jsonl')),
    validationFile: null,
    hyperparameters: { ...hyperparameters, dropout: 0, epochCount: 30, maximumSteps: 80 },
    threads: 1,
  });
  expect(trained.events.at(-1), trained.errors).toMatchObject({ status: 'completed' });
  sandbox = await startTestSandbox();
  store = await newObjectStore(sandbox.newClients());
  modelId = await storeAdapter(join(folder, 'job/adapter'));
  meter = createLocalParityMeter({
    objects: store,
    home,
    python,
    environment: process.env,
    trainingDirectory: join(repositoryRoot, 'training'),
    engine: createNodeLlamaCppEngine({ home: homeAt().path }),
  });
});

afterAll(async () => {
  await sandbox?.close();
  rmSync(folder, { recursive: true, force: true });
});

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function storeAdapter(adapter: string): Promise<string> {
  const prefix = `s3://${store.bucket}/models/tiny/jobs/tiny/`;
  const files = [];
  for (const name of readdirSync(adapter)) {
    const bytes = readFileSync(join(adapter, name));
    files.push({ path: `adapter/${name}`, bytes: bytes.length, sha256: sha256(bytes) });
    await store.put(`${prefix}adapter/${name}`, bytes);
  }
  await store.put(`${prefix}manifest.json`, JSON.stringify({ files }));
  return `${prefix}manifest.json`;
}

/** What the converter writes, of the right base model or of another one. */
async function converted(
  name: string,
  change: { baseModel?: string; adapter?: string } = {},
): Promise<Buffer> {
  const path = join(folder, `${name}.gguf`);
  const ended = await run('convert', {
    directory: join(folder, `conversion-${name}`),
    baseModel: join(home, 'local/base-models/tiny'),
    adapter: join(folder, 'job/adapter'),
    outputs: [{ format: 'q8_0', path }],
    name: 'tiny',
    threads: 1,
    ...change,
  });
  expect(ended.events.at(-1), ended.errors).toMatchObject({ status: 'completed' });
  return readFileSync(path);
}

/** Stores a file as if the converter had written it just so. */
async function measure(
  bytes: Buffer,
  compare: readonly Quantization[] = [],
  baseBytes: Buffer | null = null,
): Promise<ParityMeasurements> {
  const base = baseBytes && {
    uri: `s3://${store.bucket}/base-models/tiny/q8_0/tiny.gguf`,
    sha256: sha256(baseBytes),
    bytes: baseBytes.length,
    fingerprint: '',
    metadata: {},
  };
  if (base) await store.put(base.uri, baseBytes);
  const artifact: Artifact = {
    format: 'gguf',
    quantization: 'q8_0',
    uri: `s3://${store.bucket}/models/tiny/jobs/tiny/gguf/q8_0.gguf`,
    sha256: sha256(bytes),
    bytes: bytes.length,
    baseModel: 'tiny',
    metadata: {},
    ...(base && { base }),
  };
  await store.put(artifact.uri, bytes);
  return meter.measure(
    { modelId, modelName: 'tiny', baseModel: 'tiny', artifact, compare, prompts, answerTokens: 16 },
    () => {},
    new AbortController().signal,
  );
}

function rowsOf({ reference, files }: ParityMeasurements): ParityRow[] {
  const quality = { jsonValid: 1, score: 1 };
  return files.map((file) =>
    fileRow({
      reference,
      trained: quality,
      file,
      quality: file.problem === null ? quality : null,
      tolerance: defaultTolerances[file.format],
      decides: true,
    }),
  );
}

async function findingsOf(bytes: Buffer, base: Buffer | null = null): Promise<string> {
  const [row] = rowsOf(await measure(bytes, [], base));
  return row?.findings.join('\n') ?? '';
}

/** Replaces a whole number of the file's metadata. */
function withNumber(bytes: Buffer, key: string, value: number): Buffer {
  const planted = Buffer.from(bytes);
  const at = planted.indexOf(key) + key.length;
  // After the name comes the type, 4 for a whole number without sign.
  expect(planted.readUInt32LE(at)).toBe(4);
  planted.writeUInt32LE(value, at + 4);
  return planted;
}

describe('parity of a converted file with the trained model', () => {
  let right: Buffer;

  beforeAll(async () => {
    right = await converted('right');
  });

  it('finds nothing in files that were converted rightly, and leaves nothing behind', async () => {
    const measured = await measure(right, ['f16', 'q4_k_m']);
    const rows = rowsOf(measured);
    expect(rows.map(({ runtime }) => runtime)).toEqual(['q8_0', 'f16', 'q4_k_m']);
    for (const row of rows.slice(0, 2)) {
      expect(row).toMatchObject({ samePrompts: 4, findings: [] });
    }
    expect(measured.reference.answers[0]?.text).toContain('"name"');
    expect(measured.files[1]?.answers.map(({ text }) => text)).toEqual(
      measured.reference.answers.map(({ text }) => text),
    );
    expect(readdirSync(join(home, 'local/conversions'))).toEqual([]);
  });

  it('a removed chat template', async () => {
    const planted = Buffer.from(right);
    planted.write('tokenizer.chat_templatX', planted.indexOf('tokenizer.chat_template'));
    expect(await findingsOf(planted)).toMatch(
      /chatTemplateSha256 is missing in the file, and [0-9a-f]{64} in the trained model.*Remedy: put the base model's own template back/,
    );
  });

  it('a swapped end token', async () => {
    expect(await findingsOf(withNumber(right, 'tokenizer.ggml.eos_token_id', 0))).toMatch(
      /eosTokenId is 0 in the file, and 2 in the trained model.*Remedy: convert again with the eos_token/,
    );
  });

  it('a wrong context size', async () => {
    expect(await findingsOf(withNumber(right, 'llama.context_length', 16))).toMatch(
      /contextLength is 16 in the file, and 512 in the trained model.*Remedy: convert again with .*config.json/,
    );
  });

  it('a truncated file', async () => {
    expect(await findingsOf(right.subarray(0, right.length - 50_000))).toMatch(
      /could not be asked: .* is no whole GGUF file: .* Remedy: convert again/,
    );
  });

  it('the wrong base model under an adapter that does not say what it was trained on', async () => {
    const other = makeTinyModel(join(folder, 'other'), 2);
    const nameless = join(folder, 'nameless');
    cpSync(join(folder, 'job/adapter'), nameless, { recursive: true });
    rmSync(join(nameless, 'base_model.json'));
    const findings = await findingsOf(await converted('wrong', { baseModel: other, adapter: nameless }));
    expect(findings).toMatch(
      /chooses [\d.]+ % of the trained model's answer tokens; at least 85 % is required/,
    );
    expect(findings).toMatch(
      /Remedy: name the base model that the adapter was trained on, and convert again/,
    );
    expect(findings).not.toMatch(/chatTemplate|eosToken|contextLength|prompt Ada/);
  });
});

describe('parity of an adapter on the file of its base model with the trained model', () => {
  let right: { adapter: Buffer; base: Buffer };

  beforeAll(async () => {
    const tiny = join(home, 'local/base-models/tiny');
    right = {
      adapter: await convertToGguf(folder, tiny, 'adapter', join(folder, 'job/adapter')),
      base: await convertToGguf(folder, tiny, 'q8_0'),
    };
  });

  it('finds nothing in the right two', async () => {
    const { files, reference } = await measure(right.adapter, [], right.base);
    expect(await findingsOf(right.adapter, right.base)).toBe('');
    expect(files[0]?.answers.map(({ text }) => text)).toEqual(reference.answers.map(({ text }) => text));
  });

  const elsewhere =
    /chooses [\d.]+ % of the trained model's answer tokens; at least 85 % is required.*another adapter/;

  it('another adapter', async () => {
    const tiny = join(home, 'local/base-models/tiny');
    const other = makeTinyAdapter(join(folder, 'other-adapter'), tiny, 9);
    const findings = await findingsOf(await convertToGguf(folder, tiny, 'adapter', other), right.base);
    expect(findings).toMatch(elsewhere);
  });

  it('another base model under it', async () => {
    const other = makeTinyModel(join(folder, 'other-base'), 3);
    expect(await findingsOf(right.adapter, await convertToGguf(folder, other, 'q8_0'))).toMatch(elsewhere);
  });

  it('an adapter that is not there at all', async () => {
    expect(await findingsOf(right.base)).toMatch(elsewhere);
  });
});
