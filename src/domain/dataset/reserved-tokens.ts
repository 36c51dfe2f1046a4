/** How sure it is that Bedrock refuses the token: `casing` is only worth a note. */
export type ReservedTokenKind = 'documented' | 'checker' | 'capitals' | 'casing';

export interface ReservedToken {
  /** As it stands in the text. */
  readonly token: string;
  readonly kind: ReservedTokenKind;
  /** In UTF-16 units within the text. */
  readonly offset: number;
  /** A spelling that is allowed. */
  readonly rewrite: string;
}

const documented = new Set(['User:', 'Bot:', 'Assistant:', 'System:', '<image>', '<video>', '[EOS]']);
/** Not in AWS's documents, but refused by the dataset checker that AWS publishes. */
const refusedByChecker = new Set(['USER:', 'BOT:', 'ASSISTANT:', 'SYSTEM:', 'Thought:']);
const anyCasing = /(?:user|bot|assistant|system|thought):|<(?:image|video)>|\[eos\]/gi;

/**
 * Finds the words that Nova reserves, anywhere in a text and also inside longer words ("Superuser: …" holds
 * `user:`), because the service looks for them as plain substrings.
 */
export function findReservedTokens(text: string): ReservedToken[] {
  return Array.from(text.matchAll(anyCasing), (match) => ({
    token: match[0],
    kind: kindOf(match[0]),
    offset: match.index,
    rewrite: rewriteOf(match[0]),
  }));
}

function kindOf(token: string): ReservedTokenKind {
  if (documented.has(token)) return 'documented';
  if (refusedByChecker.has(token)) return 'checker';
  return token === token.toUpperCase() ? 'capitals' : 'casing';
}

function rewriteOf(token: string): string {
  return token.endsWith(':') ? `${token.slice(0, -1)} -` : `(${token.slice(1, -1)})`;
}
