import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaseModelFile, Quantization } from '../../../domain/artifact.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { baseModelPath } from '../../training/local/base-models.js';
import { convertedBaseModelsFolder } from '../converter.js';
import type { LocalConverterOptions } from './converter.js';
import { convertFile } from './program.js';

export interface WantedBaseModelFile {
  readonly baseModel: string;
  readonly quantization: Quantization;
  /** Of the model in this machine's folder, as the adapter's training found it and the converter has compared it. */
  readonly fingerprint: string;
}

/**
 * The file of an untrained base model in object storage, made once for each model and quantization:
 * `converted-base-models/<fingerprint>/<quantization>/<SHA-256>.gguf`. `<quantization>.json`, written last, names the file that
 * counts; one that is served is never overwritten, also not when a later converter writes other bytes.
 */
export async function provideBaseModelFile(
  options: LocalConverterOptions,
  wanted: WantedBaseModelFile,
  folder: string,
  report: (doing: string) => void,
  signal: AbortSignal,
): Promise<BaseModelFile> {
  const { objects, home } = options;
  const { baseModel, quantization, fingerprint } = wanted;
  const prefix = `s3://${objects.bucket}/${convertedBaseModelsFolder}/${fingerprint}/${quantization}`;
  const known = await findFile(objects, `${prefix}.json`);
  if (known) {
    // Written again, it is not old: no sweep takes it away before the registry knows who needs it.
    await describe(objects, prefix, known);
    return known;
  }
  await mkdir(folder, { recursive: true });
  const request = {
    directory: folder,
    baseModel: baseModelPath(home, baseModel),
    adapter: null,
    output: { format: quantization, path: join(folder, 'base-model.gguf') },
    name: baseModel,
  };
  const doing = (what: string) => report(`the base model, once for all its adapters: ${what}`);
  const { path, sha256, bytes, metadata } = await convertFile(options, request, doing, signal);
  const file = { uri: `${prefix}/${sha256}.gguf`, sha256, bytes, metadata, fingerprint };
  doing('uploads the file');
  await objects.putFile(file.uri, path, 'application/octet-stream');
  await describe(objects, prefix, file);
  return file;
}

async function describe(objects: ObjectStore, prefix: string, file: BaseModelFile): Promise<void> {
  await objects.put(`${prefix}.json`, `${JSON.stringify(file, null, 2)}\n`, 'application/json');
}

async function findFile(objects: ObjectStore, indexUri: string): Promise<BaseModelFile | null> {
  const text = await objects.getText(indexUri);
  if (text === null) return null;
  const file = JSON.parse(text) as BaseModelFile;
  return (await objects.head(file.uri))?.bytes === file.bytes ? file : null;
}
