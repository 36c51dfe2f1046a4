import type { LossPoint } from '../../../domain/loss-curve.js';

const rows = 12;
const longestBar = 48;

/** Bars, one for each twelfth of the points: their mean loss. */
export function drawLossCurve(points: readonly LossPoint[]): string[] {
  const size = Math.max(1, Math.ceil(points.length / rows));
  const means: { first: number; last: number; loss: number }[] = [];
  for (let start = 0; start < points.length; start += size) {
    const part = points.slice(start, start + size);
    const loss = part.reduce((sum, [, each]) => sum + each, 0) / part.length;
    means.push({ first: part[0]?.[0] ?? 0, last: part.at(-1)?.[0] ?? 0, loss });
  }
  const highest = Math.max(...means.map(({ loss }) => loss));
  return means.map(({ first, last, loss }) => {
    const steps = first === last ? `${first}` : `${first}-${last}`;
    const bar = '█'.repeat(Math.max(1, Math.round((loss / highest) * longestBar)));
    return `steps ${steps.padEnd(8)} ${loss.toFixed(3).padStart(7)}  ${bar}`;
  });
}
