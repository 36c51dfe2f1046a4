import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/activities/process-identity.js';
import { clearLocalState, linkTools } from '../../src/client/demo/local/demo-home.js';
import { drawLossCurve } from '../../src/client/demo/local/loss-curve.js';
import { renderWithShuffledScores } from '../../src/client/demo/local/shuffle-scores.js';
import { localFolders } from '../../src/client/local/layout.js';
import { homeAt } from '../../src/client/stack/home.js';
import { correlation } from '../../src/domain/evaluation/statistics.js';
import { createProfileScorerRecipe } from '../../src/recipes/profile-scorer/recipe.js';
import { type LocalMachine, startLocalMachine, until } from '../local/support/local-training.js';
import { DatasetWorkshop } from '../support/dataset-build.js';

const recipe = createProfileScorerRecipe('recipes/profile-scorer');
const records = [...(recipe.builder?.build({ backend: 'synthetic', records: 200, seed: 1 }) ?? [])];

interface Answer {
  readonly handle: string;
  readonly score: string;
}

const answersIn = (lines: string) =>
  lines
    .trim()
    .split('\n')
    .map((line) => {
      const { messages } = JSON.parse(line) as { messages: { content: { text: string }[] }[] };
      return JSON.parse(messages.at(-1)?.content[0]?.text ?? '') as Answer;
    });

describe('shuffled scores', () => {
  it('are clean rows: everybody keeps the handle, and the dataset is accepted', async () => {
    const text = renderWithShuffledScores(records, 11);
    expect(answersIn(text).map(({ handle }) => handle)).toEqual(records.map(({ groupKey }) => groupKey));
    const workshop = new DatasetWorkshop();
    try {
      const path = workshop.write('shuffled.jsonl', text);
      const built = await workshop.build({ source: { kind: 'file', path }, recipe, validationShare: 0.1 });
      expect(built.counts).toMatchObject({ read: 200, accepted: 200 });
    } finally {
      workshop.remove();
    }
  });

  it('say nothing about the profiles any more, and are the same scores altogether', () => {
    const before = records.map(({ turns }) => Number((JSON.parse(turns[1]?.text ?? '') as Answer).score));
    const after = answersIn(renderWithShuffledScores(records, 11)).map(({ score }) => Number(score));
    expect(after.toSorted()).toEqual(before.toSorted());
    const pairs = before.map((score, index) => [score, after[index] as number] as const);
    expect(Math.abs(correlation(pairs) ?? 1)).toBeLessThan(0.25);
  });
});

describe('the loss curve', () => {
  it('has a bar for each twelfth of the points, as long as their mean loss', () => {
    const lines = drawLossCurve(Array.from({ length: 24 }, (_, index) => [index + 1, 2.4 - index * 0.1]));
    expect(lines).toHaveLength(12);
    expect(lines[0]).toBe(`steps 1-2        2.350  ${'█'.repeat(48)}`);
    expect(lines[11]).toBe(`steps 23-24      0.150  ${'█'.repeat(3)}`);
    expect(drawLossCurve([[1, 1]])).toEqual([`steps 1          1.000  ${'█'.repeat(48)}`]);
  });
});

describe("the demo's own home", () => {
  let machine: LocalMachine | null = null;
  afterEach(async () => {
    await machine?.close();
    machine = null;
  });

  it('is rid of jobs, trainers and supervisors, and leaves the tools alone', async () => {
    machine = await startLocalMachine(1);
    await machine.addBaseModel('endless', { secondsPerStep: 0.1 });
    const provider = machine.newProvider();
    const job = await provider.submit(
      machine.request('left-behind', {
        baseModel: 'endless',
        hyperparameters: { epochCount: '50', batchSize: '4', checkpointSteps: '2' },
      }),
    );
    await until(provider, job, ({ progress }) => /^step [2-9]/.test(progress));
    const processes = [await machine.supervisorOf('left-behind'), await machine.trainerOf('left-behind')];
    const tool = join(machine.home, 'elsewhere', 'python');
    await mkdir(join(tool, '..'));
    await writeFile(tool, 'a tool');
    symlinkSync(join(tool, '..'), join(machine.home, 'local', 'venv'));

    await clearLocalState(homeAt(machine.home));

    expect(processes.map((known) => known !== null && isAlive(known))).toEqual([false, false]);
    expect(existsSync(join(machine.home, 'local'))).toBe(false);
    expect(readFileSync(tool, 'utf8')).toBe('a tool');
  });

  it('has the tools of the home that set-up filled', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anneal-demo-home-'));
    try {
      const tools = localFolders(homeAt(join(folder, 'main')));
      await mkdir(join(tools.baseModels, 'tiny'), { recursive: true });
      const home = homeAt(join(folder, 'main', 'demo-local'));
      linkTools(home, tools);
      expect(existsSync(join(home.path, 'local', 'base-models', 'tiny'))).toBe(true);
      await clearLocalState(home);
      expect(existsSync(join(tools.baseModels, 'tiny'))).toBe(true);
      linkTools(home, tools);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
