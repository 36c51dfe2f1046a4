const TOKEN =
  / ?[\p{L}\p{M}_]+(?:['’-][\p{L}\p{M}\p{N}_]+)*| ?\p{N}+(?:[.,]\p{N}+)*| ?[^\s\p{L}\p{M}\p{N}_]+|\s/gu;

const WORD = /[\p{L}\p{M}\p{N}_]/u;
const NUMBER = /^\p{N}+(?:[.,]\p{N}+)*$/u;

/** Splits text into words, numbers, runs of punctuation and white space; joined again they are the text. */
export function tokenize(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** Whether a token is a word or a number. */
export function isWord(token: string): boolean {
  return WORD.test(token);
}

/** Whether a token without its leading space is a number. */
export function isNumber(token: string): boolean {
  return NUMBER.test(token);
}
