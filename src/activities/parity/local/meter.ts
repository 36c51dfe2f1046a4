import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Artifact, Quantization } from '../../../domain/artifact.js';
import { PermanentFailure } from '../../../domain/failures.js';
import type { FileMeasurement, ParityReference, RuntimeSettings } from '../../../domain/parity.js';
import { downloadAdapter } from '../../conversion/local/adapter.js';
import type { LocalConverterOptions } from '../../conversion/local/converter.js';
import { type ProgramEvent, runConversion, runProgram } from '../../conversion/local/program.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { hashFile } from '../../hash-file.js';
import { type LlamaEngine, requireInstalled } from '../../inference/llama-cpp/engine.js';
import { baseModelPath } from '../../training/local/base-models.js';
import { findMissingTool } from '../../training/local/options.js';
import type { ParityMeasurements, ParityMeter, ParityRequest } from '../meter.js';
import { askFile } from './ask-file.js';

export interface LocalParityOptions extends LocalConverterOptions {
  readonly engine: LlamaEngine;
}

interface ModelFile {
  readonly format: Quantization;
  /** Weights, tokenizer and chat template. */
  readonly path: string;
  /** Of the LoRA adapter on them, where it is a file of its own. */
  readonly adapterPath?: string;
}

type ParityEvent =
  | (ProgramEvent & { readonly event: 'answer'; readonly done: number; readonly prompts: number })
  | (ProgramEvent & {
      readonly event: 'file';
      readonly format: string;
      readonly settings: RuntimeSettings | null;
      readonly problem: string | null;
    })
  | (ProgramEvent & { readonly event: 'start' | 'end' });

type Described = Extract<ParityEvent, { event: 'file' }>;

/** Prompts and answers are short, and the machine has other work. */
const threads = 1;

/** The trained model answers in PyTorch, the files in llama.cpp, one after the other, on this machine. */
export function createLocalParityMeter(options: LocalParityOptions): ParityMeter {
  return {
    async measure(request, report, signal) {
      const missing = findMissingTool(options);
      if (missing) throw new Error(`could not compare ${request.modelName}: ${missing}`);
      requireInstalled(options.engine);
      const folder = resolve(options.home, 'local', 'conversions', `${request.modelName}-parity`);
      try {
        // What a killed worker has left.
        await rm(folder, { recursive: true, force: true });
        await mkdir(folder, { recursive: true });
        return await measure(options, request, folder, report, signal);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function measure(
  options: LocalParityOptions,
  request: ParityRequest,
  folder: string,
  report: (doing: string) => void,
  signal: AbortSignal,
): Promise<ParityMeasurements> {
  report('fetches adapter and file');
  await downloadAdapter(options.objects, request.modelId, folder);
  const files = [
    await downloadArtifact(options, request, folder),
    ...(await convertOthers(options, request, folder, report, signal)),
  ];
  report('asks the trained model');
  const { reference, described } = await askTrained(options, request, folder, files, report, signal);
  const measured: FileMeasurement[] = [];
  for (const file of files) {
    report(`asks the ${file.format} file`);
    const { settings, problem } = described.get(file.format) ?? { settings: null, problem: null };
    const asked =
      problem === null
        ? await askFile(options.engine, file, request, reference, signal)
        : { problem, answers: [] };
    measured.push({ format: file.format, settings, ...asked });
  }
  return { reference, files: measured };
}

async function downloadArtifact(
  { objects }: LocalParityOptions,
  { artifact }: ParityRequest,
  folder: string,
): Promise<ModelFile> {
  const { quantization: format, base } = artifact;
  const path = join(folder, `${format}-served.gguf`);
  if (!base) {
    await download(objects, artifact, path);
    return { format, path };
  }
  const adapterPath = join(folder, 'adapter.gguf');
  await download(objects, base, path);
  await download(objects, artifact, adapterPath);
  return { format, path, adapterPath };
}

async function download(
  objects: ObjectStore,
  { uri, sha256 }: Pick<Artifact, 'uri' | 'sha256'>,
  path: string,
): Promise<void> {
  const body = await objects.read(uri);
  if (body === null) throw damaged(uri, 'it is not there');
  await pipeline(body, createWriteStream(path));
  const found = await hashFile(path);
  if (found === sha256) return;
  throw damaged(uri, `it has SHA-256 ${found}, and had ${sha256} when it was converted`);
}

function damaged(uri: string, found: string): PermanentFailure {
  return new PermanentFailure(
    'ConversionFailed',
    `ConversionFailed: could not compare ${uri}: ${found}. Convert again.`,
    [{ uri }],
  );
}

async function convertOthers(
  options: LocalParityOptions,
  { baseModel, modelName, compare }: ParityRequest,
  folder: string,
  report: (doing: string) => void,
  signal: AbortSignal,
): Promise<ModelFile[]> {
  if (compare.length === 0) return [];
  const outputs = compare.map((format) => ({ format, path: join(folder, `${format}.gguf`) }));
  const requestPath = await writeRequest(folder, 'convert.json', {
    directory: folder,
    baseModel: baseModelPath(options.home, baseModel),
    adapter: join(folder, 'adapter'),
    outputs,
    name: modelName,
    threads,
  });
  const doing = (what: string) => report(`for comparison: ${what}`);
  await runConversion({ ...options, requestPath }, doing, signal);
  return outputs;
}

async function askTrained(
  options: LocalParityOptions,
  { baseModel, prompts, answerTokens }: ParityRequest,
  folder: string,
  files: readonly ModelFile[],
  report: (doing: string) => void,
  signal: AbortSignal,
): Promise<{ reference: ParityReference; described: ReadonlyMap<string, Described> }> {
  const requestPath = await writeRequest(folder, 'parity.json', {
    directory: folder,
    baseModel: baseModelPath(options.home, baseModel),
    adapter: join(folder, 'adapter'),
    prompts,
    answerTokens,
    files,
    threads,
  });
  const described = new Map<string, Described>();
  await runProgram<ParityEvent>('parity', { ...options, requestPath }, signal, (event) => {
    if (event.event === 'file') described.set(event.format, event);
    if (event.event === 'answer') report(`the trained model: ${event.done} of ${event.prompts} answers`);
  });
  const text = await readFile(join(folder, 'reference.json'), 'utf8');
  return { reference: JSON.parse(text) as ParityReference, described };
}

async function writeRequest(folder: string, name: string, request: object): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(request));
  return path;
}
