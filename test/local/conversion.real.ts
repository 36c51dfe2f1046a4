import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Event,
  hyperparameters,
  makeTinyModel,
  requireSetup,
  run,
  start,
  writeConversations,
} from './programs.js';

let folder: string;
let baseModel: string;
let adapter: string;

beforeAll(async () => {
  requireSetup();
  folder = mkdtempSync(join(tmpdir(), 'anneal conversion '));
  baseModel = makeTinyModel(join(folder, 'tiny'), 1);
  const trained = await run('train', {
    directory: join(folder, 'job'),
    baseModel,
    trainingFile: writeConversations(join(folder, 'training.jsonl')),
    validationFile: null,
    hyperparameters: { ...hyperparameters, maximumSteps: 2 },
    threads: 1,
  });
  expect(trained.events.at(-1), trained.errors).toMatchObject({ status: 'completed' });
  adapter = join(folder, 'job/adapter');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function request(job: string, formats: string[], changes: object = {}) {
  const directory = join(folder, job);
  const outputs = formats.map((format) => ({ format, path: join(directory, `out/${format}.gguf`) }));
  return { directory, baseModel, adapter, outputs, name: 'stylist', threads: 1, ...changes };
}

const filesOf = (events: Event[]) => events.filter(({ event }) => event === 'file');

/** What is left below a job's folder besides its records. */
function leftBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => !['convert.json', 'events.jsonl', 'lock', 'out'].includes(name));
}

describe('conversion', () => {
  it('makes the same bytes twice, and each file says what a server must know', async () => {
    const formats = ['f16', 'q8_0', 'q4_k_m', 'adapter'];
    const first = await run('convert', request('first', formats));
    const second = await run('convert', request('second', formats));
    expect(first.events.at(-1), first.errors).toMatchObject({ event: 'end', status: 'completed' });
    const hashes = (events: Event[]) => filesOf(events).map(({ format, sha256 }) => [format, sha256]);
    expect(hashes(second.events)).toEqual(hashes(first.events));
    expect(new Set(filesOf(first.events).map(({ sha256 }) => sha256)).size).toBe(4);

    const byFormat = new Map(filesOf(first.events).map((event) => [event.format, event]));
    expect(byFormat.get('f16')?.metadata).toEqual({
      architecture: 'llama',
      contextLength: 512,
      chatTemplateSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      bosTokenId: 1,
      eosTokenId: 2,
      // Two layers of nine tensors, the embedding and the last norm.
      tensorCount: 20,
      fileType: 1,
    });
    expect(byFormat.get('q8_0')?.metadata).toMatchObject({ tensorCount: 20, fileType: 7, eosTokenId: 2 });
    expect(byFormat.get('q4_k_m')?.metadata).toMatchObject({ tensorCount: 20, fileType: 15, eosTokenId: 2 });
    // Two tensors for each of seven linear parts of two layers.
    expect(byFormat.get('adapter')?.metadata).toMatchObject({ architecture: 'llama', tensorCount: 28 });
    for (const { path, bytes } of filesOf(first.events)) expect(statSync(path).size).toBe(bytes);
    expect(byFormat.get('q4_k_m')?.bytes).toBeLessThan(byFormat.get('q8_0')?.bytes);
    expect(leftBelow(join(folder, 'first')).sort()).toEqual(formats.map((name) => `out/${name}.gguf`).sort());
  });

  it('writes what training taught: the merged file differs from that of the base model', async () => {
    const merged = await run('convert', request('merged', ['q8_0']));
    const base = await run('convert', request('base', ['q8_0'], { adapter: null }));
    const [ofMerged, ofBase] = [filesOf(merged.events)[0], filesOf(base.events)[0]];
    expect(ofMerged?.metadata).toEqual(ofBase?.metadata);
    expect(ofMerged?.sha256).not.toBe(ofBase?.sha256);
  });

  it('refuses an adapter that was trained on another base model', async () => {
    const other = makeTinyModel(join(folder, 'other'), 2);
    const job = request('wrong-base', ['q8_0', 'adapter'], { baseModel: other });
    const { code, events } = await run('convert', job);
    expect(code).toBe(0);
    expect(events.at(-1)?.message).toMatch(/was not trained on the base model at .*other.* Remedy: /);
    expect(leftBelow(job.directory)).toEqual([]);
  });

  it('refuses a base model that is cut off, and leaves no file', async () => {
    const truncated = join(folder, 'truncated');
    cpSync(baseModel, truncated, { recursive: true });
    truncateSync(join(truncated, 'model.safetensors'), 5000);
    const job = request('of-truncated', ['f16'], { baseModel: truncated });
    const { events } = await run('convert', job);
    expect(events.at(-1)?.message).toMatch(/model\.safetensors is cut off: 5000 bytes found, \d+ expected/);
    expect(leftBelow(job.directory)).toEqual([]);
  });

  it('says how much room is missing before it writes anything', async () => {
    const huge = join(folder, 'huge');
    mkdirSync(huge);
    cpSync(baseModel, huge, { recursive: true });
    writeSparseWeights(join(huge, 'model.safetensors'), 4e12);
    const job = request('of-huge', ['f16', 'q4_k_m'], { baseModel: huge });
    const { events } = await run('convert', job);
    unlinkSync(join(huge, 'model.safetensors'));
    expect(events.map(({ event }) => event)).toEqual(['end']);
    expect(events[0]?.message).toMatch(
      /Not enough disk space at .*: \d{13} bytes are needed \(.* GB\), \d+ bytes are free/,
    );
    expect(leftBelow(job.directory)).toEqual([]);
  });

  it('ends on SIGTERM without a half file', async () => {
    const job = request('stopped', ['f16', 'q4_k_m']);
    const program = start('convert', job);
    await program.seen(({ event, stage }) => event === 'stage' && stage === 'f16');
    program.kill('SIGTERM');
    const { code, events } = await program.ended;
    expect(code).toBe(0);
    expect(events.at(-1)).toMatchObject({ event: 'end', status: 'stopped' });
    expect(leftBelow(job.directory).filter((name) => !/^out\/\w+\.gguf$/.test(name))).toEqual([]);
  });

  it('starts over after kill -9, and the result is whole', async () => {
    const job = request('killed', ['q8_0']);
    const program = start('convert', job);
    await program.seen(({ event, stage }) => event === 'stage' && stage === 'f16');
    program.kill('SIGKILL');
    await program.ended;
    const again = await run('convert', job);
    const undisturbed = await run('convert', request('not-killed', ['q8_0']));
    expect(filesOf(again.events)[0]?.sha256).toBe(filesOf(undisturbed.events)[0]?.sha256);
    expect(leftBelow(job.directory)).toEqual(['out/q8_0.gguf']);
  });

  it('refuses a format that it does not know, naming those that it does', async () => {
    const { events } = await run('convert', request('format', ['q3_k_s']));
    expect(events.at(-1)?.message).toMatch(/"q3_k_s"\. Allowed: f16, q8_0, q5_k_m, q4_k_m, q4_0, adapter/);
  });
});

/** A file with a right header and right size that takes no room itself. */
function writeSparseWeights(path: string, bytes: number): void {
  const tensor = { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] };
  const header = Buffer.from(JSON.stringify({ 'model.embed_tokens.weight': tensor }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  if (existsSync(path)) unlinkSync(path);
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([length, header]));
  ftruncateSync(file, 8 + header.length + bytes);
  closeSync(file);
}
