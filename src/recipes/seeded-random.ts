import { createHash } from 'node:crypto';

/** A reproducible stream of choices: the same key gives the same stream on every machine. */
export interface SeededRandom {
  /** In [0, 1). */
  next(): number;
  /** In [0, limit). */
  integer(limit: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly T[]): T;
  /** As many different choices as there are, at most `count`, in random order. */
  sample<T>(choices: readonly T[], count: number): T[];
}

/** Small Fast Counter 32, its state taken from the SHA-256 of the key. */
export function createSeededRandom(key: string): SeededRandom {
  const digest = createHash('sha256').update(key).digest();
  let [a, b, c, counter] = [0, 4, 8, 12].map((offset) => digest.readUInt32LE(offset)) as [
    number,
    number,
    number,
    number,
  ];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4_294_967_296;
  };
  for (let round = 0; round < 12; round += 1) next();
  const integer = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (choices) => {
      if (choices.length === 0) throw new RangeError('nothing to pick from');
      return choices[integer(choices.length)] as (typeof choices)[number];
    },
    sample: (choices, count) => {
      const left = [...choices];
      const taken: typeof left = [];
      while (taken.length < count && left.length > 0) taken.push(...left.splice(integer(left.length), 1));
      return taken;
    },
  };
}
