export type InflectionKind = 'noun' | 'verb' | 'adjective';

/**
 * The regular English forms of a word or phrase, itself included. A verb phrase changes its first word,
 * the others their last. Doubtful spellings are all produced: a form that no text contains does no harm.
 */
export function inflect(phrase: string, kind: InflectionKind): string[] {
  const words = phrase.split(/\s+/);
  const at = kind === 'verb' ? 0 : words.length - 1;
  const forms = formsOf(words[at] ?? '', kind);
  return forms.map((form) => words.map((word, index) => (index === at ? form : word)).join(' '));
}

function formsOf(word: string, kind: InflectionKind): string[] {
  if (kind === 'noun') return [word, plural(word)];
  const stems = stemsBeforeVowel(word);
  if (kind === 'adjective') return [word, ...stems.flatMap((stem) => [`${stem}er`, `${stem}est`])];
  const dropped = word.endsWith('e') ? [word.slice(0, -1)] : [];
  const gerunds = [...(word.endsWith('y') ? [word] : stems), ...dropped].map((stem) => `${stem}ing`);
  return [word, plural(word), ...stems.map((stem) => `${stem}ed`), ...gerunds];
}

function plural(word: string): string {
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  return /(?:s|x|z|ch|sh)$/.test(word) ? `${word}es` : `${word}s`;
}

/** The spellings of a word before `-er`, `-est`, `-ed`: `big` → `bigg`, `heavy` → `heavi`, `wide` → `wid`. */
function stemsBeforeVowel(word: string): string[] {
  if (word.endsWith('e')) return [word.slice(0, -1)];
  if (/[^aeiou]y$/.test(word)) return [`${word.slice(0, -1)}i`];
  const doubles = /[^aeiou][aeiou][bdfglmnprt]$/.test(word);
  return doubles ? [word + word.slice(-1), word] : [word];
}
