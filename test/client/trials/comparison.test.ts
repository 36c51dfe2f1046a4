import { describe, expect, it } from 'vitest';
import { compare, inTurn, spreadOf } from '../../../src/client/bench/comparison.js';
import { tableLines } from '../../../src/client/table.js';
import { Promises } from '../../../src/client/trials/promises.js';

describe('a comparison', () => {
  it('takes the ratio of each repetition before it takes the median, so that a busy moment falls on both', () => {
    const header = { name: 'n', ours: 'a', against: 'b', unit: 's', better: 'lower' } as const;
    const { ratio, repetitions } = compare(header, [
      { ours: 1, against: 2 },
      { ours: 100, against: 100 },
      { ours: 3, against: 2 },
    ]);
    expect(repetitions).toBe(3);
    expect(ratio).toEqual({ median: 1, minimum: 0.5, maximum: 1.5 });
  });

  it('takes the mean of the middle two of an even number', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, minimum: 1, maximum: 4 });
  });

  it('runs every side once a repetition, another one first each time', async () => {
    const order: string[] = [];
    const side = (name: string) => () => order.push(name);
    const results = await inTurn({ a: side('a'), b: side('b') }, 3, new AbortController().signal);
    expect(order).toEqual(['a', 'b', 'b', 'a', 'a', 'b']);
    expect(results).toEqual([
      { a: 1, b: 2 },
      { b: 3, a: 4 },
      { a: 5, b: 6 },
    ]);
  });

  it('stops between two sides when it is interrupted', async () => {
    const controller = new AbortController();
    const sides = {
      a: () => {
        controller.abort();
        return 1;
      },
      b: () => expect.unreachable(),
    };
    await expect(inTurn(sides, 1, controller.signal)).rejects.toThrow(/abort/i);
  });
});

describe('the promises of a trial', () => {
  it('print each result, and fail at the end with those that were broken', () => {
    const lines: string[] = [];
    const promises = new Promises((line) => lines.push(line));
    promises.check(true, 'one');
    promises.check(false, 'two');
    expect(lines).toEqual(['  holds   one', '  BROKEN  two']);
    expect(() => promises.settle()).toThrow('This does not hold:\n  two');
  });

  it('settle silently when all hold', () => {
    const promises = new Promises(() => {});
    promises.check(true, 'one');
    promises.settle();
  });
});

describe('a table', () => {
  it('has columns as wide as their widest cell', () => {
    expect(
      tableLines([
        ['a', 'b'],
        ['long', 'x'],
      ]),
    ).toEqual(['  a     b', '  ----  -', '  long  x']);
  });
});
