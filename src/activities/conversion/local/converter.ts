import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Artifact, type Quantization, quantizations } from '../../../domain/artifact.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { baseModelPath } from '../../training/local/base-models.js';
import { findMissingTool } from '../../training/local/options.js';
import type { ConversionRequest, Converter } from '../converter.js';
import { downloadAdapter } from './adapter.js';
import { type ConvertedFile, runConversion } from './program.js';

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

/** Quantising is short, and what does it has its place in the line of the compute queue. */
const threads = 2;

/**
 * Merges a LoRA adapter into its base model and writes one quantised GGUF file, on this machine. The file lies
 * beside the adapter in object storage and goes with the model; a description of it beside it, written last, says
 * that it is whole.
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
  const { objects, home, trainingDirectory } = options;
  const missing = findMissingTool(options);
  if (missing) throw new Error(`could not convert ${request.modelName}: ${missing}`);
  const folder = resolve(home, 'local', 'conversions', `${request.modelName}-${request.quantization}`);
  const file = join(folder, `${request.modelName}.gguf`);
  try {
    await mkdir(folder, { recursive: true });
    report('fetches the adapter');
    await downloadAdapter(objects, request.modelId, folder);
    const requestPath = join(folder, 'request.json');
    await writeFile(
      requestPath,
      JSON.stringify({
        directory: folder,
        baseModel: baseModelPath(home, request.baseModel),
        adapter: join(folder, 'adapter'),
        outputs: [{ format: request.quantization, path: file }],
        name: request.modelName,
        threads,
      }),
    );
    const { python, environment } = options;
    const program = { python, trainingDirectory, requestPath, environment };
    const [converted] = await runConversion(program, report, signal);
    if (!converted) throw new Error(`The conversion of ${request.modelName} ended without a file`);
    report('uploads the file');
    await objects.putFile(uri, file, 'application/octet-stream');
    return await describeArtifact(objects, uri, request, converted);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Beside the adapter's manifest, so that whoever deletes the model's files deletes it, too. */
function artifactUri({ modelId, quantization }: ConversionRequest): string {
  return `${modelId.slice(0, modelId.lastIndexOf('/') + 1)}gguf/${quantization}.gguf`;
}

function descriptionUri(uri: string): string {
  return `${uri}.json`;
}

async function describeArtifact(
  objects: ObjectStore,
  uri: string,
  { quantization, baseModel }: ConversionRequest,
  { sha256, bytes, metadata }: ConvertedFile,
): Promise<Artifact> {
  const artifact: Artifact = { format: 'gguf', quantization, uri, sha256, bytes, baseModel, metadata };
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
  const isWhole = (await objects.head(uri))?.bytes === artifact.bytes;
  return isWhole && artifact.baseModel === request.baseModel && isQuantization(artifact.quantization)
    ? artifact
    : null;
}

function isQuantization(text: string): text is Quantization {
  return quantizations.some((each) => each === text);
}
