import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalConverter } from '../../src/activities/conversion/local/converter.js';
import { type LocalMachine, startLocalMachine, untilEnded } from '../local/support/local-training.js';

let machine: LocalMachine;
beforeAll(async () => {
  machine = await startLocalMachine(2);
});
afterAll(() => machine.close());

const never = new AbortController().signal;
const ignore = () => {};

const newConverter = () => createLocalConverter({ ...machine.conversion, objects: machine.store });

/** The manifest of an adapter that a job has made on a base model. */
async function trained(jobName: string, behaviour: object = {}): Promise<string> {
  const baseModel = `of-${jobName}`;
  await machine.addBaseModel(baseModel, behaviour);
  const provider = machine.newProvider();
  const job = await provider.submit(machine.request(jobName, { baseModel }));
  return (await untilEnded(provider, job)).modelId ?? '';
}

const requestOf = (jobName: string, modelId: string) => ({
  modelId,
  modelName: jobName,
  baseModel: `of-${jobName}`,
  quantization: 'q8_0' as const,
});

async function conversionsOf(jobName: string): Promise<number> {
  const path = join(machine.home, 'local', 'base-models', `of-${jobName}`, 'conversions.jsonl');
  return existsSync(path) ? (await readFile(path, 'utf8')).trim().split('\n').length : 0;
}

async function leftovers(): Promise<string[]> {
  const folder = join(machine.home, 'local', 'conversions');
  return existsSync(folder) ? readdir(folder) : [];
}

describe('converting an adapter on this machine', () => {
  it('stores one whole file beside the adapter and says what it is', async () => {
    const modelId = await trained('whole');
    const reports: string[] = [];
    const artifact = await newConverter().convert(
      requestOf('whole', modelId),
      (text) => reports.push(text),
      never,
    );
    expect(artifact).toMatchObject({
      format: 'gguf',
      quantization: 'q8_0',
      uri: modelId.replace('manifest.json', 'gguf/q8_0.gguf'),
      baseModel: 'of-whole',
      metadata: { contextLength: 2048 },
    });
    expect((await machine.store.head(artifact.uri))?.bytes).toBe(artifact.bytes);
    expect(JSON.parse((await machine.store.getText(`${artifact.uri}.json`)) ?? '')).toEqual(artifact);
    expect(reports).toEqual([
      'fetches the adapter',
      'merges the adapter into the base model',
      'uploads the file',
    ]);
    expect(await leftovers()).toEqual([]);
  });

  it('takes what another worker has converted already', async () => {
    const modelId = await trained('twice');
    const first = await newConverter().convert(requestOf('twice', modelId), ignore, never);
    const second = await newConverter().convert(requestOf('twice', modelId), ignore, never);
    expect(second).toEqual(first);
    expect(await conversionsOf('twice')).toBe(1);
  });

  it('goes with the model', async () => {
    const modelId = await trained('deleted');
    const { uri } = await newConverter().convert(requestOf('deleted', modelId), ignore, never);
    const folder = modelId.replace('manifest.json', '');
    for (const each of await machine.store.list(folder)) await machine.store.delete(each);
    expect(await machine.store.head(uri)).toBeNull();
  });

  it('ends for good with the reason of the program', async () => {
    const modelId = await trained('refused', { refusesToConvert: true });
    await expect(newConverter().convert(requestOf('refused', modelId), ignore, never)).rejects.toMatchObject({
      type: 'ConversionFailed',
      message: 'ConversionFailed: the adapter was trained on another base model',
    });
    expect(await leftovers()).toEqual([]);
  });

  it('can be tried again after a crash', async () => {
    const modelId = await trained('crashed', { crashesWhenConverting: true });
    const converter = newConverter();
    await expect(converter.convert(requestOf('crashed', modelId), ignore, never)).rejects.toThrow(
      /exit code 1 before it was done: out of memory/,
    );
    await machine.addBaseModel('of-crashed');
    expect((await converter.convert(requestOf('crashed', modelId), ignore, never)).bytes).toBeGreaterThan(0);
  });

  it('refuses an adapter that is not what was trained', async () => {
    const modelId = await trained('damaged');
    const weights = modelId.replace('manifest.json', 'adapter/adapter_model.safetensors');
    await machine.store.put(weights, 'something else');
    await expect(newConverter().convert(requestOf('damaged', modelId), ignore, never)).rejects.toMatchObject({
      type: 'ConversionFailed',
      message: expect.stringMatching(
        /adapter_model\.safetensors: it has SHA-256 \w+, not \w+ as in its manifest/,
      ),
    });
  });

  it('leaves neither process nor file when it is cancelled', async () => {
    const modelId = await trained('cancelled', { takesForEver: true });
    const cancel = new AbortController();
    const converting = newConverter().convert(requestOf('cancelled', modelId), ignore, cancel.signal);
    while ((await conversionsOf('cancelled')) === 0) await sleep(20);
    cancel.abort();
    await expect(converting).rejects.toMatchObject({ name: 'AbortError' });
    expect(await leftovers()).toEqual([]);
    expect(await machine.store.head(modelId.replace('manifest.json', 'gguf/q8_0.gguf'))).toBeNull();
  });

  it('says what is missing where nothing is installed', async () => {
    const modelId = await trained('bare');
    const converter = createLocalConverter({
      ...machine.conversion,
      objects: machine.store,
      python: join(machine.home, 'nowhere'),
    });
    await expect(converter.convert(requestOf('bare', modelId), ignore, never)).rejects.toThrow(
      /there is no Python at .*; run `anneal setup local`/,
    );
  });
});

describe('converting an adapter and leaving it one', () => {
  const asAdapter = (jobName: string, modelId: string, baseModel: string) => ({
    modelId,
    modelName: jobName,
    baseModel,
    quantization: 'q8_0' as const,
    form: 'adapter' as const,
  });

  /** An adapter of another job on the base model of `shared`. */
  async function trainedOn(baseModel: string, jobName: string): Promise<string> {
    const provider = machine.newProvider();
    const job = await provider.submit(machine.request(jobName, { baseModel }));
    return (await untilEnded(provider, job)).modelId ?? '';
  }

  it('makes the file of the base model once, for all adapters on it', async () => {
    const first = await trained('shared');
    const second = await trainedOn('of-shared', 'shared-too');
    const one = await newConverter().convert(asAdapter('shared', first, 'of-shared'), ignore, never);
    const two = await newConverter().convert(asAdapter('shared-too', second, 'of-shared'), ignore, never);
    expect(one).toMatchObject({
      quantization: 'q8_0',
      uri: first.replace('manifest.json', 'gguf/q8_0-adapter.gguf'),
      base: { fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/), metadata: { contextLength: 2048 } },
    });
    const { uri = '', sha256 = '', fingerprint = '' } = one.base ?? {};
    expect(uri).toBe(`s3://${machine.store.bucket}/converted-base-models/${fingerprint}/q8_0/${sha256}.gguf`);
    expect(two.base).toEqual(one.base);
    expect(two.uri).not.toBe(one.uri);
    // Two adapters and one base model.
    expect(await conversionsOf('shared')).toBe(3);
    expect(await leftovers()).toEqual([]);
  });

  it('stays beside a merged file of the same model', async () => {
    const modelId = await trained('both');
    const merged = await newConverter().convert(requestOf('both', modelId), ignore, never);
    const adapter = await newConverter().convert(asAdapter('both', modelId, 'of-both'), ignore, never);
    expect(merged.base).toBeUndefined();
    expect(await newConverter().convert(requestOf('both', modelId), ignore, never)).toEqual(merged);
    expect(await newConverter().convert(asAdapter('both', modelId, 'of-both'), ignore, never)).toEqual(
      adapter,
    );
  });

  it('makes a base model again whose file was lost or cut off', async () => {
    const modelId = await trained('lost');
    const request = asAdapter('lost', modelId, 'of-lost');
    const { base } = await newConverter().convert(request, ignore, never);
    await machine.store.put(base?.uri ?? '', 'cut');
    expect((await newConverter().convert(request, ignore, never)).base).toEqual(base);
    expect((await machine.store.head(base?.uri ?? ''))?.bytes).toBe(base?.bytes);
  });

  it('leaves nothing that looks whole when it is ended between adapter and base model', async () => {
    const modelId = await trained('ended');
    const ending = new AbortController();
    const request = asAdapter('ended', modelId, 'of-ended');
    const converting = newConverter().convert(
      request,
      (doing) => doing.startsWith('the base model') && ending.abort(),
      ending.signal,
    );
    await expect(converting).rejects.toMatchObject({ name: 'AbortError' });
    expect(await leftovers()).toEqual([]);
    const uri = modelId.replace('manifest.json', 'gguf/q8_0-adapter.gguf');
    expect(await machine.store.head(`${uri}.json`)).toBeNull();
    expect((await newConverter().convert(request, ignore, never)).uri).toBe(uri);
  });

  it('refuses an adapter that does not say which base model it was trained on', async () => {
    const modelId = await trained('nameless');
    const manifest = JSON.parse((await machine.store.getText(modelId)) ?? '');
    const files = manifest.files.filter(({ path }: { path: string }) => !path.includes('base_model'));
    await machine.store.put(modelId, JSON.stringify({ ...manifest, files }));
    await expect(
      newConverter().convert(asAdapter('nameless', modelId, 'of-nameless'), ignore, never),
    ).rejects.toMatchObject({
      type: 'ConversionFailed',
      message: expect.stringMatching(/conversion\.form: found "adapter".*Allowed: "merged"/),
    });
  });
});
