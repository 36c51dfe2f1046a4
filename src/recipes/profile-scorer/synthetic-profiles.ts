import { z } from 'zod';
import { createSeededRandom, type SeededRandom } from '../seeded-random.js';
import type { ScoredProfile } from './answer.js';
import type { Profile } from './profile.js';

const words = z.array(z.string().min(1)).min(1);

/** The words that invented profiles are made of. */
export const vocabularySchema = z.strictObject({
  schema: z.literal('synthetic-profiles/v1'),
  firstNames: words,
  surnames: words,
  handleWords: words,
  fields: words,
  institutions: words,
  locations: words,
  things: words,
  teams: words,
  kinds: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        isResearcher: z.boolean(),
        score: z.number().min(0).max(1),
        bios: words,
        reason: z.string().min(1),
      }),
    )
    .min(2),
});

export type Vocabulary = z.infer<typeof vocabularySchema>;

export interface SyntheticProfile {
  readonly profile: Profile;
  readonly scored: ScoredProfile;
  /** The kind of account, for instance `postdoc`. */
  readonly kind: string;
}

/** Invented profiles without end, each handle once, the kinds in turn. The same seed gives the same ones. */
export function* inventProfiles(vocabulary: Vocabulary, seed: number): Generator<SyntheticProfile, never> {
  const random = createSeededRandom(`profile-scorer/synthetic/${seed}`);
  const handles = new Set<string>();
  for (;;) {
    for (const kind of random.sample(vocabulary.kinds, vocabulary.kinds.length)) {
      yield invent(vocabulary, kind, handles, random);
    }
  }
}

function invent(
  vocabulary: Vocabulary,
  kind: Vocabulary['kinds'][number],
  handles: Set<string>,
  random: SeededRandom,
): SyntheticProfile {
  const name = `${random.pick(vocabulary.firstNames)} ${random.pick(vocabulary.surnames)}`;
  const handle = unusedHandle(inventHandle(vocabulary, name, random), handles);
  const choices: Readonly<Record<string, string>> = {
    field: random.pick(vocabulary.fields),
    institution: random.pick(vocabulary.institutions),
    thing: random.pick(vocabulary.things),
    team: random.pick(vocabulary.teams),
  };
  const fill = (text: string) => text.replace(/\{(\w+)\}/g, (whole, word: string) => choices[word] ?? whole);
  const bio = fill(random.pick(kind.bios));
  const day = 1 + random.integer(28);
  return {
    profile: {
      handle,
      display_name: name,
      bio: bio.charAt(0).toUpperCase() + bio.slice(1),
      created_at: `${2009 + random.integer(15)}-${twoDigits(1 + random.integer(12))}-${twoDigits(day)}`,
      follower_count: random.integer(5000),
      location: random.pick(vocabulary.locations),
    },
    scored: { handle, score: kind.score, reason: fill(kind.reason) },
    kind: kind.name,
  };
}

/**
 * Often nothing of the name is in the handle: a model that saw nothing else would learn to make the handle up
 * from the name instead of reading it.
 */
function inventHandle({ handleWords }: Vocabulary, name: string, random: SeededRandom): string {
  const plain = name.toLowerCase().replace(/[^a-z]+/g, '_');
  const [one = '', other = ''] = random.sample(handleWords, 2);
  const forms = [plain, `${one}_${other}`, `${one}${10 + random.integer(90)}`, `the_${one}_${other}`];
  return random.pick([...forms, `${one}_${plain.split('_')[0]}`]);
}

function unusedHandle(wanted: string, handles: Set<string>): string {
  let handle = wanted;
  for (let number = 2; handles.has(handle); number += 1) handle = `${wanted}_${number}`;
  handles.add(handle);
  return handle;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
