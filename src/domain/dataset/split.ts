import type { Split } from '../dataset.js';

/** Groups fall into this many buckets; a share of them is the validation split. */
export const splitBuckets = 10_000;

/** A dataset below this size whose validation split came out empty is refused instead of mended. */
export const smallestMendedDataset = 20;

/**
 * The split of a group, by the bucket that the hash of its key fell into. It depends on nothing else, so
 * adding rows never moves old ones, and every label gets its share in expectation. Shares are therefore
 * approximate: of few groups, noticeably more or fewer than `validationShare` may be chosen.
 */
export function splitOf(bucket: number, validationShare: number): Split {
  return bucket < Math.round(validationShare * splitBuckets) ? 'validation' : 'training';
}

export interface GroupSize {
  readonly groupKey: string;
  /** Orders groups as their buckets do, and groups of one bucket by their whole hash. */
  readonly rank: string;
  readonly records: number;
}

/**
 * The group that becomes the validation split when no group's bucket is below the share: the first by rank
 * of those that hold at most half of the records. Null when there is none.
 *
 * When rows are added later, at most this one group changes its split: it goes back to training as soon as
 * a group of lower rank exists.
 */
export function groupForValidation(groups: Iterable<GroupSize>, records: number): string | null {
  let chosen: GroupSize | null = null;
  for (const group of groups) {
    if (group.records * 2 > records) continue;
    if (chosen === null || group.rank < chosen.rank) chosen = group;
  }
  return chosen?.groupKey ?? null;
}
