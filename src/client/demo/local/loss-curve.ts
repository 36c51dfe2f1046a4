import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobPath } from '../../../activities/training/local/job-folder.js';

const rows = 12;
const longestBar = 48;

/** The training loss of every step of a job, in order; a step that a restarted trainer repeated counts once. */
export function readLosses(home: string, jobName: string): number[] {
  const losses = new Map<number, number>();
  for (const line of readFileSync(join(jobPath(home, jobName), 'events.jsonl'), 'utf8').split('\n')) {
    if (!line.includes('"step"')) continue;
    const { event, step, trainingLoss } = JSON.parse(line) as {
      event: string;
      step: number;
      trainingLoss: number;
    };
    if (event === 'step') losses.set(step, trainingLoss);
  }
  return [...losses].sort(([one], [other]) => one - other).map(([, loss]) => loss);
}

/** Bars, one for each twelfth of the steps: its mean loss. */
export function drawLossCurve(losses: readonly number[]): string[] {
  const size = Math.max(1, Math.ceil(losses.length / rows));
  const means: { first: number; last: number; loss: number }[] = [];
  for (let start = 0; start < losses.length; start += size) {
    const part = losses.slice(start, start + size);
    const loss = part.reduce((sum, each) => sum + each, 0) / part.length;
    means.push({ first: start + 1, last: start + part.length, loss });
  }
  const highest = Math.max(...means.map(({ loss }) => loss));
  return means.map(({ first, last, loss }) => {
    const steps = first === last ? `${first}` : `${first}-${last}`;
    const bar = '█'.repeat(Math.max(1, Math.round((loss / highest) * longestBar)));
    return `steps ${steps.padEnd(8)} ${loss.toFixed(3).padStart(7)}  ${bar}`;
  });
}
