import type { DatasetRecord } from '../../domain/dataset.js';

/**
 * Exchanges the answers of a share of the records among those records, whatever their labels: every row
 * stays clean by itself, and only the relation of question and answer is lost. Deterministic by seed.
 */
export function shuffleAnswers(
  records: readonly DatasetRecord[],
  share: number,
  seed: number,
): DatasetRecord[] {
  const random = numbers(seed);
  const chosen = permute(
    records.map((_, index) => index),
    random,
  ).slice(0, Math.round(records.length * share));
  const donors = permute(chosen, random);
  const shuffled = [...records];
  chosen.forEach((index, position) => {
    const record = records[index] as DatasetRecord;
    const donor = records[donors[position] as number] as DatasetRecord;
    const answer = donor.turns.at(-1);
    if (answer) shuffled[index] = { ...record, turns: [...record.turns.slice(0, -1), answer] };
  });
  return shuffled;
}

/** Fisher and Yates. */
function permute<T>(items: readonly T[], random: () => number): T[] {
  const permuted = [...items];
  for (let last = permuted.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [permuted[last], permuted[other]] = [permuted[other] as T, permuted[last] as T];
  }
  return permuted;
}

/** Mulberry32: small, seeded, good enough to shuffle a demo's rows. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
