/** A loss at a step of a training. */
export type LossPoint = readonly [step: number, loss: number];

/** How the losses of a training went, thinned out to what a picture shows. */
export interface LossCurve {
  readonly training: readonly LossPoint[];
  readonly validation: readonly LossPoint[];
  /** Why the training ended before its last step, and what was kept; null where it did not. */
  readonly earlyStop: string | null;
  /** What computed them, for instance `torch on cuda`; absent where it was not told. */
  readonly engine?: string;
}

/** At most as many points, the first and the last among them; each is the mean of those it stands for. */
export function thinOut(points: readonly LossPoint[], most: number): LossPoint[] {
  if (points.length <= most) return [...points];
  const groups = Array.from({ length: most }, (_, index) =>
    points.slice(
      Math.floor((index * points.length) / most),
      Math.floor(((index + 1) * points.length) / most),
    ),
  );
  return groups.map((group, index): LossPoint => {
    const mean = group.reduce((sum, [, loss]) => sum + loss, 0) / group.length;
    const [step] = (index === 0 ? group[0] : group.at(-1)) ?? [0];
    return [step, mean];
  });
}

const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/** A line of bars as high as the losses, the lowest of them the smallest bar. */
export function sparkline(points: readonly LossPoint[], width = 30): string {
  const losses = thinOut(points, width).map(([, loss]) => loss);
  const lowest = Math.min(...losses);
  const range = Math.max(...losses) - lowest;
  return losses
    .map((loss) => bars[range === 0 ? 0 : Math.round(((loss - lowest) / range) * (bars.length - 1))])
    .join('');
}
