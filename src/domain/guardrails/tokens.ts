/** One character of a view and the part of the original text that it stands for. */
export interface ViewCharacter {
  readonly character: string;
  readonly start: number;
  readonly end: number;
}

/** A word of a view, with its place in the original text. */
export interface Token {
  readonly word: string;
  readonly start: number;
  readonly end: number;
  /** Punctuation between this word and the one before: none, a comma or the like, or the end of a sentence. */
  readonly breakBefore: 'none' | 'phrase' | 'sentence';
}

const wordCharacter = /[\p{L}\p{N}\p{M}]/u;
const phrasePunctuation = /[,;:()[\]{}"“”\n\r—–]/u;

/** Splits a view into words; contractions become their words, so that `don't` and `do not` are the same. */
export function scanTokens(characters: readonly ViewCharacter[]): Token[] {
  const tokens: Token[] = [];
  let breakBefore: Token['breakBefore'] = 'none';
  let at = 0;
  while (at < characters.length) {
    const end = wordEnd(characters, at);
    if (end > at) {
      tokens.push(...splitContraction(characters.slice(at, end), tokens.length === 0 ? 'none' : breakBefore));
      breakBefore = 'none';
      at = end;
      continue;
    }
    if (endsSentence(characters, at)) breakBefore = 'sentence';
    else if (breakBefore === 'none' && phrasePunctuation.test(characters[at]?.character ?? '')) {
      breakBefore = 'phrase';
    }
    at++;
  }
  return tokens;
}

/** Words of a plain text without places: how patterns and lexicons are read. */
export function wordsOf(text: string): string[] {
  const leading = contractionWords[text.toLowerCase()];
  if (leading !== undefined) return [leading];
  const characters = [...text.normalize('NFC').toLowerCase()].map((character, index) => ({
    character: character === '’' ? "'" : character,
    start: index,
    end: index + 1,
  }));
  return scanTokens(characters).map((token) => token.word);
}

function wordEnd(characters: readonly ViewCharacter[], start: number): number {
  let end = start;
  while (end < characters.length) {
    const character = characters[end]?.character ?? '';
    const inside = end > start && isWordCharacter(characters[end + 1]);
    const joins =
      character === "'" || ((character === '.' || character === ',') && isDigitPair(characters, end));
    if (!wordCharacter.test(character) && !(inside && joins)) break;
    end++;
  }
  return end;
}

function isWordCharacter(character: ViewCharacter | undefined): boolean {
  return character !== undefined && wordCharacter.test(character.character);
}

function isDigitPair(characters: readonly ViewCharacter[], at: number): boolean {
  const digit = /\p{N}/u;
  return digit.test(characters[at - 1]?.character ?? '') && digit.test(characters[at + 1]?.character ?? '');
}

/** A full stop, exclamation or question mark before a space or the end; dots of suspense do not count. */
function endsSentence(characters: readonly ViewCharacter[], at: number): boolean {
  const character = characters[at]?.character ?? '';
  if (!/[.!?]/.test(character)) return false;
  if (character === '.' && (characters[at - 1]?.character === '.' || characters[at + 1]?.character === '.')) {
    return false;
  }
  const next = characters[at + 1]?.character;
  return next === undefined || /[\s"”')\]]/.test(next);
}

const contractionWords: Readonly<Record<string, string>> = {
  "'re": 'are',
  "'m": 'am',
  "'ve": 'have',
  "'ll": 'will',
  "'s": "'s",
  "'d": "'d",
  "n't": 'not',
};

const irregularStems: Readonly<Record<string, string>> = { ca: 'can', wo: 'will', sha: 'shall' };

/** Contractions written without their apostrophe, and words that are two. */
const runTogether: Readonly<Record<string, readonly [string, string]>> = {
  youre: ['you', 'are'],
  theyre: ['they', 'are'],
  dont: ['do', 'not'],
  doesnt: ['does', 'not'],
  didnt: ['did', 'not'],
  isnt: ['is', 'not'],
  arent: ['are', 'not'],
  wasnt: ['was', 'not'],
  cant: ['can', 'not'],
  cannot: ['can', 'not'],
  wont: ['will', 'not'],
  shouldnt: ['should', 'not'],
  wouldnt: ['would', 'not'],
  couldnt: ['could', 'not'],
  hasnt: ['has', 'not'],
  havent: ['have', 'not'],
};

function splitContraction(characters: readonly ViewCharacter[], breakBefore: Token['breakBefore']): Token[] {
  const word = characters.map((each) => each.character).join('');
  const whole = runTogether[word];
  if (whole) return twoTokens(characters, whole, characters.length - 1, breakBefore);
  const apostrophe = characters.findIndex((each) => each.character === "'");
  if (apostrophe > 0) {
    const at = word.endsWith("n't") ? apostrophe - 1 : apostrophe;
    const stem = characters
      .slice(0, at)
      .map((each) => each.character)
      .join('');
    const rest =
      contractionWords[
        characters
          .slice(at)
          .map((each) => each.character)
          .join('')
      ];
    if (rest !== undefined && stem !== '') {
      return twoTokens(characters, [irregularStems[stem] ?? stem, rest], at, breakBefore);
    }
  }
  return [{ word, start: characters[0]?.start ?? 0, end: characters.at(-1)?.end ?? 0, breakBefore }];
}

function twoTokens(
  characters: readonly ViewCharacter[],
  [first, second]: readonly [string, string],
  at: number,
  breakBefore: Token['breakBefore'],
): Token[] {
  return [
    { word: first, start: characters[0]?.start ?? 0, end: characters[at - 1]?.end ?? 0, breakBefore },
    {
      word: second,
      start: characters[at]?.start ?? 0,
      end: characters.at(-1)?.end ?? 0,
      breakBefore: 'none',
    },
  ];
}
