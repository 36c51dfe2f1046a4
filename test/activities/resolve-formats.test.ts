import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveRunSpec } from '../../src/activities/run-spec/resolve.js';
import { fingerprint } from '../../src/activities/training/fingerprint.js';
import { defaultTolerances } from '../../src/domain/parity.js';
import type { RunSpec } from '../../src/domain/run-spec.js';
import { loadConfig } from '../../src/workers/config.js';
import { createResolveDependencies } from '../../src/workers/dependencies.js';

const identity = { workflowId: 'fine-tune/small', originalRunId: 'run-1' };
const file = { kind: 'file' as const, path: 'train.jsonl' };
let home: string;
let dependencies: ReturnType<typeof createResolveDependencies>;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'anneal-test-home-'));
  mkdirSync(join(home, 'local/base-models/small'), { recursive: true });
  writeFileSync(join(home, 'local/base-models/small/config.json'), '{}');
  // As after a set-up.
  for (const part of ['node', 'quantiser']) {
    mkdirSync(join(home, 'local', part), { recursive: true });
    writeFileSync(join(home, 'local', part, '.anneal-installed.json'), '{}');
  }
  dependencies = createResolveDependencies(
    loadConfig({ ANNEAL_AWS_ENDPOINT: 'http://127.0.0.1:1', ANNEAL_HOME: home }),
  );
});
afterAll(() => {
  dependencies.close();
  rmSync(home, { recursive: true, force: true });
});

const local = { provider: 'local', baseModel: 'small' };
const resolve = (spec: Omit<RunSpec, 'recipe'>) =>
  resolveRunSpec({ recipe: 'conversation', dataset: { source: file }, ...spec }, identity, dependencies);

describe('what lies between provider and target', () => {
  it('is nothing where the target serves what the provider makes', () => {
    expect(resolve({})).toMatchObject({ conversion: null, deployment: { target: 'bedrock-on-demand' } });
    expect(resolve({ conversion: null }).conversion).toBeNull();
  });

  it('is a conversion, and a target that serves files, where the provider makes an adapter', () => {
    expect(resolve({ training: local })).toMatchObject({
      conversion: { quantization: 'q8_0' },
      deployment: { target: 'llama-cpp' },
      prices: { deploymentUsdPerHour: 0 },
    });
    const chosen = resolve({ training: local, conversion: { quantization: 'q4_k_m' } });
    expect(chosen.conversion).toEqual({
      quantization: 'q4_k_m',
      form: 'merged',
      compare: ['f16'],
      parity: { prompts: 8, answerTokens: 64, tolerance: defaultTolerances.q4_k_m },
    });
    const beside = resolve({ training: local, conversion: { form: 'adapter' } });
    expect(beside.conversion).toMatchObject({ quantization: 'q8_0', form: 'adapter' });
    const data = { sha256: '0'.repeat(64) };
    expect(fingerprint(beside, data)).not.toBe(fingerprint(resolve({ training: local }), data));
    const asked = { compare: ['f16', 'q8_0', 'q4_0'], parity: { prompts: 2, perplexityRatio: 9 } } as const;
    const { conversion } = resolve({
      training: local,
      conversion: { ...asked, compare: [...asked.compare] },
    });
    expect(conversion).toMatchObject({ quantization: 'q8_0', compare: ['f16', 'q4_0'] });
    expect(conversion?.parity).toMatchObject({
      prompts: 2,
      tolerance: { perplexityRatio: 9, agreement: 0.85 },
    });
  });

  it('must be possible: a target that cannot serve it is refused by name, with those that can', () => {
    expect(() => resolve({ training: local, deployment: { target: 'bedrock-on-demand' } })).toThrow(
      /deployment\.target: found "bedrock-on-demand", which cannot serve what training\.provider "local" makes; allowed: llama-cpp, ollama, llama-server\./,
    );
    expect(() => resolve({ deployment: { target: 'llama-cpp' } })).toThrow(
      /deployment\.target: found "llama-cpp".*allowed: bedrock-on-demand, bedrock-provisioned\./,
    );
  });

  it('may not be asked for where it is nothing', () => {
    expect(() => resolve({ conversion: { quantization: 'f16' } })).toThrow(
      /conversion: found \{"quantization":"f16"\}; allowed: null/,
    );
  });

  it("takes the recipe's hyperparameters only with the recipe's provider", () => {
    expect(resolve({}).training.hyperparameters.epochCount).toBe('2');
    expect(resolve({ training: local }).training.hyperparameters.epochCount).toBe('4');
  });
});
