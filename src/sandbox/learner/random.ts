/** A stream of numbers in [0, 1) that depends on its seed alone (the mulberry32 generator). */
export function createRandom(seed: number): () => number {
  let state = (Math.imul(Math.trunc(seed) | 0, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Draws an index with a probability proportional to its weight; the last positive one if rounding leaves a rest. */
export function drawIndex(weights: ArrayLike<number>, random: () => number): number {
  let total = 0;
  for (let index = 0; index < weights.length; index++) total += weights[index] ?? 0;
  let rest = random() * total;
  let last = 0;
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index] ?? 0;
    if (weight <= 0) continue;
    last = index;
    rest -= weight;
    if (rest < 0) return index;
  }
  return last;
}

/** The numbers 0 … count-1 in random order, at most `limit` of them. */
export function shuffledIndices(count: number, limit: number, random: () => number): number[] {
  const indices = Array.from({ length: count }, (_, index) => index);
  const taken = Math.min(count, limit);
  for (let index = 0; index < taken; index++) {
    const other = index + Math.floor(random() * (count - index));
    const held = indices[index] ?? 0;
    indices[index] = indices[other] ?? 0;
    indices[other] = held;
  }
  return indices.slice(0, taken);
}

/** Extends a 32-bit hash by one number; equal sequences give equal hashes. */
export function extendHash(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
