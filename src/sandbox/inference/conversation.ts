/** Several turns as one prompt: the last one below, the earlier ones above it. Alike in training and use. */
export function joinTurns(texts: readonly string[]): string {
  return texts.join('\n\n');
}
