const numberWords: Readonly<Record<string, number>> = {
  zero: 0,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  thirteen: 13,
  fourteen: 14,
  fifteen: 15,
  sixteen: 16,
  seventeen: 17,
  eighteen: 18,
  nineteen: 19,
  twenty: 20,
  thirty: 30,
  forty: 40,
  fifty: 50,
  sixty: 60,
  seventy: 70,
  eighty: 80,
  ninety: 90,
  once: 1,
  twice: 2,
  double: 2,
  thrice: 3,
  triple: 3,
  half: 1 / 2,
  third: 1 / 3,
  quarter: 1 / 4,
  fifth: 1 / 5,
};

const multipliers: Readonly<Record<string, number>> = {
  hundred: 100,
  thousand: 1_000,
  million: 1_000_000,
};

/**
 * A number as word problems write it: `4,000`, `$12.50`, `30%`, `thirty percent`, `three times`, `half`,
 * `8000 minutes`. Null for what is no number, or more than one.
 */
export function parseQuantity(text: unknown): number | null {
  if (typeof text === 'number') return Number.isFinite(text) ? text : null;
  if (typeof text !== 'string') return null;
  const plain = text
    .trim()
    .toLowerCase()
    .replace(/[$€£]/g, '')
    .replace(/(\d),(?=\d{3}(\D|$))/g, '$1');
  const digits = /^([+-]?\d+(?:\.\d+)?|[+-]?\.\d+)\s*(%|percent|per cent)?(?:\s+[a-z][a-z ]*)?$/.exec(plain);
  if (digits) return rounded(Number(digits[1]) / (digits[2] ? 100 : 1));
  const fraction = /^(\d+)\s*\/\s*(\d+)$/.exec(plain);
  if (fraction && Number(fraction[2]) !== 0) return rounded(Number(fraction[1]) / Number(fraction[2]));
  return parseNumberWords(plain);
}

function parseNumberWords(text: string): number | null {
  const isShare = /\s*(percent|per cent|%)$/.test(text);
  const words = text
    .replace(/\s*(percent|per cent|%|times|times as (many|much))$/, '')
    .split(/[\s-]+/)
    .filter((word) => word !== 'and' && word !== 'a');
  if (words.length === 0) return null;
  let total = 0;
  let group = 0;
  for (const word of words) {
    const multiplier = Object.hasOwn(multipliers, word) ? multipliers[word] : undefined;
    const value = Object.hasOwn(numberWords, word) ? numberWords[word] : undefined;
    if (multiplier !== undefined) {
      group = Math.max(1, group) * multiplier;
      if (multiplier > 100) {
        total += group;
        group = 0;
      }
    } else if (value !== undefined) group += value;
    else return null;
  }
  return rounded((total + group) / (isShare ? 100 : 1));
}

/** Ten decimals: 1 - 0.3 and 0.7 are the same number. */
export function rounded(value: number): number {
  const round = Number(value.toFixed(10));
  return Object.is(round, -0) ? 0 : round;
}
