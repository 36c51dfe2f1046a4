import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Artifact, type BaseModelFile, isConvertedTo } from '../../../domain/artifact.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { baseModelPath } from '../../training/local/base-models.js';
import { findMissingTool } from '../../training/local/options.js';
import type { ConversionRequest, Converter } from '../converter.js';
import { downloadAdapter, readTrainedOn } from './adapter.js';
import { provideBaseModelFile } from './base-model-file.js';
import { type ConvertedFile, convertFile } from './program.js';

export interface LocalConverterOptions {
  readonly objects: ObjectStore;
  /** Anneal's home; base models and conversions lie below its `local`. Absolute. */
  readonly home: string;
  /** The Python that has the converter's packages. */
  readonly python: string;
  /** The folder of the package `anneal_training`. Absolute. */
  readonly trainingDirectory: string;
  /** Of the converter's process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Makes GGUF files of a LoRA adapter on this machine: merged into its base model and quantised, or alone, beside the
 * base model's own file. The model's file lies beside the adapter in object storage and goes with the model; a
 * description of it beside it, written last, says that it is whole.
 */
export function createLocalConverter(options: LocalConverterOptions): Converter {
  return {
    async convert(request, report, signal) {
      const uri = artifactUri(request);
      const existing = await findArtifact(options.objects, uri, request);
      return existing ?? convert(options, request, uri, report, signal);
    },
  };
}

async function convert(
  options: LocalConverterOptions,
  request: ConversionRequest,
  uri: string,
  report: (doing: string) => void,
  signal: AbortSignal,
): Promise<Artifact> {
  const { objects, home } = options;
  const { modelId, modelName, baseModel, quantization, form } = request;
  const missing = findMissingTool(options);
  if (missing) throw new Error(`could not convert ${modelName}: ${missing}`);
  const folder = resolve(home, 'local', 'conversions', `${modelName}-${quantization}-${form ?? 'merged'}`);
  const wanted = {
    directory: folder,
    baseModel: baseModelPath(home, baseModel),
    adapter: join(folder, 'adapter'),
    output: {
      format: form === 'adapter' ? 'adapter' : quantization,
      path: join(folder, `${modelName}.gguf`),
    },
    name: modelName,
  };
  try {
    await mkdir(folder, { recursive: true });
    report('fetches the adapter');
    await downloadAdapter(objects, modelId, folder);
    // Compares the adapter with the base model that lies here, before anything is made of that.
    const converted = await convertFile(options, wanted, report, signal);
    const base =
      form === 'adapter'
        ? await provideBaseModelFile(
            options,
            { baseModel, quantization, fingerprint: await readTrainedOn(modelId, folder) },
            join(folder, 'base-model'),
            report,
            signal,
          )
        : undefined;
    report('uploads the file');
    await objects.putFile(uri, converted.path, 'application/octet-stream');
    return await describeArtifact(objects, uri, request, converted, base);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Beside the adapter's manifest, so that whoever deletes the model's files deletes it, too. */
function artifactUri({ modelId, quantization, form }: ConversionRequest): string {
  const name = form === 'adapter' ? `${quantization}-adapter` : quantization;
  return `${modelId.slice(0, modelId.lastIndexOf('/') + 1)}gguf/${name}.gguf`;
}

function descriptionUri(uri: string): string {
  return `${uri}.json`;
}

async function describeArtifact(
  objects: ObjectStore,
  uri: string,
  { quantization, baseModel }: ConversionRequest,
  { sha256, bytes, metadata }: ConvertedFile,
  base: BaseModelFile | undefined,
): Promise<Artifact> {
  const artifact: Artifact = {
    format: 'gguf',
    quantization,
    uri,
    sha256,
    bytes,
    baseModel,
    metadata,
    ...(base && { base }),
  };
  await objects.put(descriptionUri(uri), `${JSON.stringify(artifact, null, 2)}\n`, 'application/json');
  return artifact;
}

async function findArtifact(
  objects: ObjectStore,
  uri: string,
  request: ConversionRequest,
): Promise<Artifact | null> {
  const text = await objects.getText(descriptionUri(uri));
  if (text === null) return null;
  const artifact = JSON.parse(text) as Artifact;
  if (!isConvertedTo(artifact, request) || artifact.baseModel !== request.baseModel) return null;
  const files = [artifact, ...(artifact.base ? [artifact.base] : [])];
  for (const file of files) if ((await objects.head(file.uri))?.bytes !== file.bytes) return null;
  return artifact;
}
