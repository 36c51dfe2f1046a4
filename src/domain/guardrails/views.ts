import { skeletonOf } from './confusables.js';
import { scanTokens, type Token, type ViewCharacter } from './tokens.js';

/**
 * Ways to read a text. `plain` is the text in lower case; `skeleton` undoes look-alike and invisible
 * characters; `leet` and `collapsed` undo `f4t` and `f a t`, for the words of the strong lexicons only.
 */
export type View = 'plain' | 'skeleton' | 'leet' | 'collapsed';

export interface TextView {
  readonly view: View;
  readonly tokens: readonly Token[];
}

/** The readings of a text that differ from one another; token spans point into the original text. */
export function viewsOf(text: string, strongWords: ReadonlyMap<string, string>): TextView[] {
  const views: TextView[] = [{ view: 'plain', tokens: scanTokens(plainCharacters(text)) }];
  const characters = skeletonCharacters(text);
  const skeleton = scanTokens(characters);
  if (!sameWords(views[0]?.tokens ?? [], skeleton)) views.push({ view: 'skeleton', tokens: skeleton });
  if (strongWords.size === 0) return views;
  const leet = replaceTokens(skeleton, leetWords(characters, strongWords));
  if (leet !== skeleton) views.push({ view: 'leet', tokens: leet });
  const collapsed = replaceTokens(skeleton, collapsedWords(skeleton, text, strongWords));
  if (collapsed !== skeleton) views.push({ view: 'collapsed', tokens: collapsed });
  return views;
}

const leetLetters: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '9': 'g',
  '@': 'a',
  $: 's',
  '!': 'i',
  '|': 'i',
  '+': 't',
};

/** One spelling for all leet spellings of a word; `i` and `l` become one, because `1` means either. */
export function foldLeet(word: string): string {
  let folded = '';
  for (const character of word) {
    const letter = leetLetters[character] ?? character;
    folded += letter === 'l' ? 'i' : letter;
  }
  return folded;
}

/** A word as the skeleton view shows it. */
export function foldWord(word: string): string {
  return [...word].map(skeletonOf).join('');
}

function plainCharacters(text: string): ViewCharacter[] {
  const characters: ViewCharacter[] = [];
  for (const cluster of text.matchAll(/[\s\S]\p{M}*/gu)) {
    const end = cluster.index + cluster[0].length;
    const shown = cluster[0].normalize('NFC').toLowerCase().replace(/[’‘ʼ]/g, "'");
    for (const character of shown) characters.push({ character, start: cluster.index, end });
  }
  return characters;
}

function skeletonCharacters(text: string): ViewCharacter[] {
  const characters: ViewCharacter[] = [];
  let start = 0;
  for (const codePoint of text) {
    const end = start + codePoint.length;
    for (const character of skeletonOf(codePoint)) characters.push({ character, start, end });
    start = end;
  }
  return characters;
}

function sameWords(a: readonly Token[], b: readonly Token[]): boolean {
  return a.length === b.length && a.every((token, index) => token.word === b[index]?.word);
}

interface Replacement {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

function leetWords(
  characters: readonly ViewCharacter[],
  strongWords: ReadonlyMap<string, string>,
): Replacement[] {
  const found: Replacement[] = [];
  let run: ViewCharacter[] = [];
  const finish = () => {
    while (run.at(-1)?.character === '!') run.pop();
    const first = run[0];
    const last = run.at(-1);
    const word = first && last ? strongWordIn(run.map((each) => each.character).join(''), strongWords) : null;
    if (first && last && word !== null) found.push({ word, start: first.start, end: last.end });
    run = [];
  };
  for (const character of characters) {
    if (/[\p{L}\p{N}@$!|+]/u.test(character.character)) run.push(character);
    else finish();
  }
  finish();
  return found;
}

/** The strong word that a disguised spelling stands for; null for spellings without any disguise. */
function strongWordIn(spelling: string, strongWords: ReadonlyMap<string, string>): string | null {
  if (!/\p{L}/u.test(spelling)) return null;
  if (/[\p{N}@$!|+]/u.test(spelling)) {
    const word = strongWords.get(foldLeet(spelling));
    if (word !== undefined) return word;
  }
  if (!/(.)\1\1/u.test(spelling)) return null;
  const shortened = foldLeet(spelling);
  return (
    strongWords.get(shortened.replace(/(.)\1{2,}/gu, '$1')) ??
    strongWords.get(shortened.replace(/(.)\1{2,}/gu, '$1$1')) ??
    null
  );
}

function collapsedWords(
  tokens: readonly Token[],
  text: string,
  strongWords: ReadonlyMap<string, string>,
): Replacement[] {
  const found: Replacement[] = [];
  for (const run of runsOf(tokens, (a, b) => isLetter(a) && isLetter(b) && b.start - a.end <= 3)) {
    found.push(...lettersSpelling(run, strongWords));
  }
  const joined = (a: Token, b: Token) => /^[^\s\p{L}\p{N}]{1,2}$/u.test(text.slice(a.end, b.start));
  for (const run of runsOf(tokens, joined)) {
    const word = strongWords.get(foldLeet(run.map((token) => token.word).join('')));
    const first = run[0];
    const last = run.at(-1);
    if (word !== undefined && first && last) found.push({ word, start: first.start, end: last.end });
  }
  return found;
}

function isLetter(token: Token): boolean {
  return token.end - token.start <= 2 && [...token.word].length === 1;
}

/** Runs of two and more neighbours that belong together. */
function* runsOf(tokens: readonly Token[], belongs: (a: Token, b: Token) => boolean): Iterable<Token[]> {
  let run: Token[] = [];
  for (const token of tokens) {
    const previous = run.at(-1);
    if (previous && !belongs(previous, token)) {
      if (run.length > 1) yield run;
      run = [];
    }
    run.push(token);
  }
  if (run.length > 1) yield run;
}

const longestStrongWord = 24;

/** Strong words of three letters and more, spelt letter by letter. */
function lettersSpelling(run: readonly Token[], strongWords: ReadonlyMap<string, string>): Replacement[] {
  const found: Replacement[] = [];
  for (let from = 0; from + 3 <= run.length; from++) {
    let spelling = run[from]?.word ?? '';
    for (let to = from + 1; to < run.length && to - from < longestStrongWord; to++) {
      spelling += run[to]?.word ?? '';
      const word =
        to - from >= 2 && /\p{L}/u.test(spelling) ? strongWords.get(foldLeet(spelling)) : undefined;
      const first = run[from];
      const last = run[to];
      if (word === undefined || !first || !last) continue;
      found.push({ word, start: first.start, end: last.end });
      from = to;
      break;
    }
  }
  return found;
}

/** The same tokens with each replaced span as one word; the same array when there is nothing to replace. */
function replaceTokens(tokens: readonly Token[], replacements: readonly Replacement[]): readonly Token[] {
  if (replacements.length === 0) return tokens;
  const ordered = [...replacements].sort((a, b) => a.start - b.start);
  const result: Token[] = [];
  let at = 0;
  for (const replacement of ordered) {
    while (at < tokens.length && (tokens[at]?.end ?? 0) <= replacement.start)
      result.push(tokens[at++] as Token);
    const breakBefore = tokens[at]?.breakBefore ?? 'none';
    const overlaps = (result.at(-1)?.end ?? 0) > replacement.start;
    while (at < tokens.length && (tokens[at]?.start ?? 0) < replacement.end) at++;
    if (!overlaps) result.push({ ...replacement, breakBefore });
  }
  while (at < tokens.length) result.push(tokens[at++] as Token);
  return result;
}
