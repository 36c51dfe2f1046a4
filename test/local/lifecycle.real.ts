import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ReportHeader } from '../../src/activities/validation/report/report.js';
import { homeAt } from '../../src/client/stack/home.js';
import type { RunResult } from '../../src/domain/run-state.js';
import { startTestServers, type TestServers } from '../support/servers.js';
import { startService, type TestService } from '../support/service.js';
import { requireSetup, writeConversations } from './programs.js';

let folder: string;
let servers: TestServers;
let service: TestService;

beforeAll(async () => {
  requireSetup();
  folder = mkdtempSync(join(tmpdir(), 'anneal-lifecycle-'));
  servers = await startTestServers();
  service = await startService({ addresses: servers, environment: { ANNEAL_HOME: homeAt().path } });
});

afterAll(async () => {
  await service?.stop();
  await servers?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a model has on this machine's disk. */
function leftOf(model: string): string[] {
  return ['jobs', 'conversions', 'deployments/llama-cpp'].flatMap((name) => {
    const entries = readdirSync(join(homeAt().path, 'local', name));
    return entries.filter((entry) => entry.startsWith(model)).map((entry) => `${name}/${entry}`);
  });
}

it('trains real weights, converts, compares, serves, validates and promotes them, and gives everything back', {
  timeout: 900_000,
}, async () => {
  const model = service.newModel();
  const result = await service.execute('fineTune', {
    recipe: 'conversation',
    model,
    dataset: {
      source: { kind: 'file', path: writeConversations(join(folder, 'data.jsonl')) },
      validationShare: 0.25,
    },
    training: {
      provider: 'local',
      baseModel: 'smollm2-135m-instruct',
      hyperparameters: { maximumSteps: 10, batchSize: 1, maximumSequenceLength: 256, learningRate: 0.001 },
    },
    conversion: { compare: ['f16', 'q4_k_m'], parity: { prompts: 4, answerTokens: 32 } },
    validation: { samples: 2 },
  });
  expect(result).toMatchObject({ outcome: 'promoted', champion: 1, verdict: 'passed', spendUsd: 0 });
  const champion = await service.dependencies.registry.champion(model);
  expect(champion).toMatchObject({
    provider: 'local',
    artifact: { quantization: 'q8_0', metadata: { architecture: 'llama' } },
    deployment: { target: 'llama-cpp' },
  });

  const report = (await service.dependencies.objects.getText(
    result.report?.replace('report.html', 'report.json') ?? '',
  )) as string;
  const { parity, lossCurve } = JSON.parse(report) as Pick<ReportHeader, 'parity' | 'lossCurve'>;
  expect(parity?.map(({ runtime }) => runtime)).toEqual(['trained', 'q8_0', 'f16', 'q4_k_m', 'served']);
  for (const runtime of ['trained', 'q8_0', 'f16', 'served']) {
    const row = parity?.find((each) => each.runtime === runtime);
    expect(row, runtime).toMatchObject({ samePrompts: row?.prompts, findings: [] });
  }
  expect(lossCurve?.engine).toMatch(/^(torch|mlx) on (cpu|cuda|metal)$/);
  expect(lossCurve?.training).toHaveLength(10);
  expect(lossCurve?.validation.at(-1)?.[0]).toBe(10);

  const tornDown = await service.execute<RunResult>('teardown', { model, force: true });
  expect(tornDown.outcome).toBe('tornDown');
  expect(leftOf(model)).toEqual([]);
  expect(await service.dependencies.objects.list(`s3://anneal/models/${model}/jobs/`)).toEqual([]);
});
