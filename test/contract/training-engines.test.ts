import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  hyperparameterRanges,
  resolveHyperparameters,
  toTrainerHyperparameters,
} from '../../src/activities/training/local/settings.js';
import { repositoryRoot } from '../../src/client/repository-root.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-engines-'));
  mkdirSync(join(folder, 'base'));
  writeFileSync(join(folder, 'base/config.json'), '{"model_type": "llama"}');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs Python that has no packages at all; prints the result, or what a person is told. */
function python(expression: string, before = ''): string {
  const program = `
import json, platform, sys
from pathlib import Path
from anneal_training.engines import choose_engine
from anneal_training.hyperparameters import check_hyperparameters, choose_target_modules
from anneal_training.program import Problem
base = Path(sys.argv[1])
${before}
try: print(json.dumps(${expression}))
except Problem as problem: print(problem)
`;
  const options = { cwd: join(repositoryRoot, 'training'), encoding: 'utf8' } as const;
  return execFileSync('python3', ['-S', '-c', program, join(folder, 'base')], options).trim();
}

function choose(engine: string, quantization: string, before?: string): string {
  return python(`choose_engine("${engine}", base, {"baseModelQuantization": "${quantization}"})`, before);
}

const appleSilicon = 'platform.system = lambda: "Darwin"\nplatform.machine = lambda: "arm64"';

describe('the choice of an engine', () => {
  it('takes PyTorch wherever MLX is not installed, also on Apple silicon', () => {
    expect(choose('auto', 'none')).toBe('"torch"');
    expect(choose('auto', 'none', appleSilicon)).toBe('"torch"');
    expect(choose('torch', 'none')).toBe('"torch"');
  });

  it('says before training what is missing, and what to do', () => {
    expect(choose('mlx', 'none')).toMatch(
      /^engine is mlx, and mlx and mlx_lm are not installed\. Remedy: .*torch/,
    );
    expect(choose('auto', 'nf4')).toMatch(
      /^hyperparameters\.baseModelQuantization is "nf4", and bitsandbytes is not installed\. Remedy: "anneal setup local"/,
    );
    expect(choose('jax', 'none')).toMatch(/^engine is "jax"\. Allowed: auto, torch, mlx\. Remedy: /);
  });
});

describe('hyperparameters', () => {
  const given = {
    gradientAccumulationSteps: 4,
    targetModules: 'q_proj,v_proj',
    baseModelQuantization: 'nf4',
    gradientCheckpointing: true,
  };

  it('reach the trainer as they were meant', () => {
    const { values, problems } = resolveHyperparameters(given);
    expect(problems).toEqual([]);
    expect(values).toMatchObject({ gradientCheckpointing: 'true', gradientAccumulationSteps: '4' });
    const sent = JSON.stringify(toTrainerHyperparameters(values));
    const checked = JSON.parse(python('check_hyperparameters(json.loads(sys.stdin.read()))', stdin(sent)));
    expect(checked).toMatchObject(given);
    expect(Object.keys(checked).sort()).toEqual(Object.keys(hyperparameterRanges).sort());
  });

  it('that nobody named stay out of the request, so that a job of an earlier version is found again', () => {
    const { values } = resolveHyperparameters({});
    for (const name of Object.keys(given)) expect(values).not.toHaveProperty(name);
    const sent = JSON.stringify(toTrainerHyperparameters(values));
    expect(
      JSON.parse(python('check_hyperparameters(json.loads(sys.stdin.read()))', stdin(sent))),
    ).toMatchObject({
      gradientAccumulationSteps: 1,
      targetModules: 'all-linear',
      baseModelQuantization: 'none',
      gradientCheckpointing: false,
    });
  });

  it.each([
    [{ baseModelQuantization: 'int3' }, '"none" or "nf4"'],
    [{ gradientCheckpointing: 'yes' }, 'true or false'],
    [{ targetModules: 'q_proj, v_proj' }, '"all-linear", or names of layers'],
    [{ epochCount: true }, 'whole numbers from 1 to 50'],
  ])('%j is refused before anything starts', (wrong, allowed) => {
    expect(resolveHyperparameters(wrong).problems).toMatchObject([
      {
        path: `training.hyperparameters.${Object.keys(wrong)[0]}`,
        allowed: expect.stringContaining(allowed),
      },
    ]);
  });
});

/** What Python finds on its standard input. */
function stdin(text: string): string {
  return `import io\nsys.stdin = io.StringIO(${JSON.stringify(text)})`;
}
