/** Control, invisible and direction-changing characters as their code, so that no answer can hide in a report. */
export function showInvisible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (character) => {
    if (character === '\n' || character === '\t') return character;
    return `‹U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}›`;
  });
}

const htmlEntities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Any text as HTML text or attribute value. */
export function html(text: string | number): string {
  return showInvisible(String(text)).replace(/[&<>"']/g, (character) => htmlEntities[character] ?? '');
}

/** Any text as one line of Markdown without effect: no markup, no link, no table cell, no HTML. */
export function markdown(text: string | number): string {
  return showInvisible(String(text))
    .replace(/\s+/g, ' ')
    .replace(/[&<>]/g, (character) => htmlEntities[character] ?? '')
    .replace(/[\\`*_{}[\]()#+!|~$]/g, '\\$&')
    .replace(/:\/\//g, ':\\//')
    .replace(/@/g, '&#64;');
}

/** Any text as a fenced block that it cannot leave. */
export function markdownBlock(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${showInvisible(text)}\n${fence}`;
}

/** A number for people: four significant digits, a dash where nothing was measured. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

export const verdictSentences = {
  passed: 'Every critical check passed.',
  failed: 'At least one critical check failed.',
  inconclusive: 'Too few answers to tell.',
  error: 'At least one critical metric could not be measured.',
} as const;

export const simulatedNotice =
  'Simulated: the model behind these numbers is the sandbox’s small learner, not a real language model.';
