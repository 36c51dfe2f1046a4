import { describe, expect, it } from 'vitest';
import { type LossPoint, sparkline, thinOut } from '../../src/domain/loss-curve.js';

const points = (losses: readonly number[]): LossPoint[] => losses.map((loss, index) => [index + 1, loss]);

describe('a loss curve', () => {
  it('is drawn as bars from the lowest to the highest', () => {
    expect(sparkline(points([8, 4, 2, 1]))).toBe('█▄▂▁');
    expect(sparkline(points([1, 1]))).toBe('▁▁');
    expect(sparkline([])).toBe('');
  });

  it('is thinned out to means, with its first and last step', () => {
    const thin = thinOut(points(Array.from({ length: 1000 }, (_, index) => 1000 - index)), 60);
    expect(thin).toHaveLength(60);
    expect(thin[0]).toEqual([1, 992.5]);
    expect(thin.at(-1)).toEqual([1000, 9]);
    expect(thinOut(points([3, 2]), 60)).toEqual(points([3, 2]));
  });
});
