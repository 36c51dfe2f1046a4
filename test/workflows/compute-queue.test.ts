import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ParityMeasurements } from '../../src/activities/parity/meter.js';
import type { Artifact } from '../../src/domain/artifact.js';
import type { ModelVersion } from '../../src/domain/model-version.js';
import type { RunResult } from '../../src/domain/run-state.js';
import { conversation } from '../support/run-specs.js';
import { runWorker, startService, type TestService } from '../support/service.js';

let home: string;
let service: TestService;
let stopWorker: () => Promise<void>;
/** Conversions and comparisons at this moment, and at most. */
let running = 0;
let most = 0;
/** Models of which the file has lost its end token. */
const broken = new Set<string>();

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'anneal-compute-'));
  // As set-up leaves a machine; what would run there is stood in for below.
  const installed = ['node', 'quantiser'].map((part) => join(part, '.anneal-installed.json'));
  for (const name of [...installed, 'base-models/tiny/config.json']) {
    const path = join(home, 'local', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '{}');
  }
  service = await startService({ worker: false, environment: { ANNEAL_HOME: home } });
  stopWorker = await runWorker(
    {
      ...service.dependencies,
      converter: { convert: ({ modelId, quantization }) => alone(() => artifactOf(modelId, quantization)) },
      parity: {
        measure: ({ modelName, artifact, prompts }) =>
          alone(() => measurements(artifact, prompts, broken.has(modelName))),
      },
    },
    service.taskQueue,
  );
});

afterAll(async () => {
  await stopWorker?.();
  await service?.stop();
  rmSync(home, { recursive: true, force: true });
});

async function alone<T>(work: () => T): Promise<T> {
  running += 1;
  most = Math.max(most, running);
  await sleep(100);
  running -= 1;
  return work();
}

function artifactOf(modelId: string, quantization: Artifact['quantization']): Artifact {
  const uri = modelId.replace('manifest.json', `gguf/${quantization}.gguf`);
  return { format: 'gguf', quantization, uri, sha256: 'ab', bytes: 1, baseModel: 'tiny', metadata: {} };
}

function measurements(
  { quantization }: Artifact,
  prompts: readonly { id: string }[],
  isBroken: boolean,
): ParityMeasurements {
  const settings = { chatTemplateSha256: 'cc', bosTokenId: 1, eosTokenId: 2, contextLength: 512 };
  const answers = prompts.map(({ id }) => ({
    id,
    promptTokens: [1, 2],
    answerTokens: [3, 2],
    logLikelihood: -0.1,
    endsTurn: true,
    text: 'red',
  }));
  const files = answers.map((answer) => ({ ...answer, chosenTokens: answer.answerTokens }));
  return {
    reference: { settings, answers },
    files: [
      {
        format: quantization,
        settings: { ...settings, eosTokenId: isBroken ? 0 : 2 },
        problem: null,
        answers: files,
      },
    ],
  };
}

let dataset: Promise<RunResult> | null = null;

/** A version as training on this machine leaves it. */
async function newVersion(): Promise<ModelVersion> {
  const model = service.newModel();
  dataset ??= service.execute('buildDataset', conversation('golden'));
  const built = await dataset;
  const { registry } = service.dependencies;
  return registry.registerVersion(
    { workflowId: `train/${model}`, runId: 'run' },
    {
      model,
      recipe: 'conversation',
      provider: 'local',
      baseModel: 'tiny',
      modelName: `${model}-t1`,
      modelId: `s3://anneal/models/${model}/jobs/${model}-t1/manifest.json`,
      jobName: `${model}-t1`,
      datasetSha256: built.dataset?.sha256 ?? '',
      datasetManifestUri: built.dataset?.uri ?? '',
      fingerprint: model,
    },
  );
}

const conversion = { quantization: 'q8_0', compare: [] };

describe('converting a version that exists', () => {
  it('ten at once wait for each other, and each records its file and its parity table', async () => {
    const versions = await Promise.all(Array.from({ length: 10 }, newVersion));
    most = 0;
    const results = await Promise.all(
      versions.map(({ model }) => service.execute('convert', { model, conversion })),
    );
    expect(most).toBe(1);
    for (const [index, result] of results.entries()) {
      const { model = '', version = 0 } = versions[index] ?? {};
      expect(result).toMatchObject({ outcome: 'converted', model, version, verdict: 'passed' });
      expect(result.next).toContain('--type deploy');
      const recorded = await service.dependencies.registry.version(model, version);
      // Whether the answers are good, validation says.
      expect(recorded).toMatchObject({ artifact: { quantization: 'q8_0' }, verdict: null });
    }
  });

  it('again: takes what is there and what was measured', async () => {
    const { model } = await newVersion();
    await service.execute('convert', { model, conversion });
    most = 0;
    expect(await service.execute('convert', { model, conversion })).toMatchObject({ verdict: 'passed' });
    expect(most).toBe(0);
  });

  it('a file that differs from what was trained fails, says what differs, and is never deployed', async () => {
    const { model, modelName, version } = await newVersion();
    broken.add(modelName);
    const handle = await service.start('convert', { model, conversion });
    expect(await handle.result()).toMatchObject({ outcome: 'converted', verdict: 'failed' });
    const { parity, stages } = await service.awaitStatus(handle, () => true);
    expect(parity.map(({ runtime, findings }) => [runtime, findings.length])).toEqual([
      ['trained', 0],
      ['q8_0', 1],
    ]);
    expect(stages.find(({ name }) => name === 'conversion')?.note).toMatch(
      /^q8_0, 0 MB; parity failed: q8_0: eosTokenId is 0 in the file, and 2 in the trained model\..*Remedy/,
    );
    expect(await service.dependencies.registry.version(model, version)).toMatchObject({ verdict: 'failed' });

    expect(await service.run('deploy', { model, conversion })).toMatchObject({
      closed: 'failed',
      type: 'ConversionFailed',
      message: expect.stringMatching(/is not what was trained \(parity failed\): q8_0: eosTokenId is 0/),
    });
  });

  it('a version that its provider serves needs none', async () => {
    const model = service.newModel();
    await service.execute('train', conversation(model));
    expect(await service.run('convert', { model })).toMatchObject({
      closed: 'failed',
      type: 'InvalidInput',
      message: expect.stringMatching(/needs no conversion: bedrock-on-demand serves what bedrock makes/),
    });
  });
});
