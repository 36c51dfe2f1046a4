/** One line of an estimate or of a bill. */
export interface CostItem {
  readonly what: string;
  readonly usd: number;
}

/** What a run is expected to cost, before anything is bought. */
export interface CostEstimate {
  readonly items: readonly CostItem[];
  readonly totalUsd: number;
  /** What goes on costing money each month afterwards, for as long as it is kept; not part of the total. */
  readonly monthly: readonly CostItem[];
}

/** Rounds up to hundredths of a cent, so that a bill never shows less than it is. */
export function roundUsd(usd: number): number {
  return Math.ceil(usd * 10_000 - 1e-6) / 10_000;
}

export function formatUsd(usd: number): string {
  if (usd === 0) return '$0';
  return usd < 0.01 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

/** A unit's price with all its digits: those of tokens are fractions of a cent. */
export function formatPrice(usd: number): string {
  return usd > 0 && usd < 0.01 ? `$${Number(usd.toPrecision(6))}` : formatUsd(usd);
}

/** Hours with two digits at most. */
export function formatHours(hours: number): string {
  return String(Number(hours.toFixed(2)));
}

export function totalUsd(items: readonly CostItem[]): number {
  return roundUsd(items.reduce((sum, item) => sum + item.usd, 0));
}

/** Training that is billed by token and epoch. */
export function trainingUsd(input: { tokens: number; epochs: number; usdPerThousandTokens: number }): number {
  return (input.tokens / 1000) * input.epochs * input.usdPerThousandTokens;
}

/** Inference is billed by token in and out; a throughput's hour covers it where both prices are zero. */
export function inferenceUsd(input: {
  inputTokens: number;
  outputTokens: number;
  usdPerThousandInputTokens: number;
  usdPerThousandOutputTokens: number;
}): number {
  return (
    (input.inputTokens / 1000) * input.usdPerThousandInputTokens +
    (input.outputTokens / 1000) * input.usdPerThousandOutputTokens
  );
}

/** Hours between two ISO-8601 instants of the provider's clock, never negative. */
export function hoursBetween(start: string, end: string): number {
  return Math.max(0, (Date.parse(end) - Date.parse(start)) / 3_600_000);
}
