/** What remains of a name when case, articles, plurals and "number of" are set aside. */
export function nameKey(name: string): string {
  return wordsOf(name).join(' ');
}

/** The variable that a name means: spelled alike, else the only one alike but for grammar. */
export function findVariable(name: string, variables: readonly string[]): string | null {
  const wanted = name.trim();
  if (variables.includes(wanted)) return wanted;
  return onlyOne(variables.filter((each) => nameKey(each) === nameKey(wanted)));
}

/**
 * The variable whose name is part of this name, or the other way round: "economical mobile phone" means
 * "economical" rather than "premium mobile". Null where several do, or none.
 */
export function findVariableByWords(name: string, variables: readonly string[]): string | null {
  const words = new Set(wordsOf(name));
  return onlyOne(
    variables.filter((variable) => {
      const others = wordsOf(variable);
      const shared = others.filter((word) => words.has(word)).length;
      return shared > 0 && shared === Math.min(words.size, others.length);
    }),
  );
}

function onlyOne(found: readonly string[]): string | null {
  return found.length === 1 ? (found[0] ?? null) : null;
}

function wordsOf(name: string): string[] {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .replace(/^(the |a |an )?((total |daily )?(number|amount|quantity|units) of )?(the |a |an )?/, '')
    .split(' ')
    .map(singular);
}

function singular(word: string): string {
  if (word.length > 4 && word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  if (/(?:ss|x|z|ch|sh)es$/.test(word)) return word.slice(0, -2);
  return word.length > 2 && word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word;
}
