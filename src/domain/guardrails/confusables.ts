/**
 * Characters that look like a Latin letter, by the letter they pass for. A selection in the manner of
 * UTS #39, folded to lower case; compatibility forms (full width, mathematical, circled) need no entry,
 * because their decomposition says what they are.
 */
const lookalikes: Readonly<Record<string, string>> = {
  a: 'аΑАαɑᴀꭺᎪӑӓ',
  b: 'ЬВΒвᏏʙᏴƅɓ',
  c: 'сСϲϹᴄⅽᏟҫ',
  d: 'ԁᏧɗᴅᎠժɖ',
  e: 'еЕΕєҽɛᴇᎬεѐё',
  f: 'ϝƒꜰϜՔ',
  g: 'ɡԍɢᏀցġ',
  h: 'һНΗʜᏂհнᎻ',
  i: 'іІΙιɪıᎥӏїίıɩ',
  j: 'јЈϳᴊᎫʝ',
  k: 'кКΚκᴋᏦҝ',
  l: 'ⅼʟᏞӀɭłŁǀ',
  m: 'мМΜᴍᎷⅿ',
  n: 'ոпΝɴηИп',
  o: 'оОΟοσᴏօՕөѳøØ',
  p: 'рРΡρᴘᏢϱ',
  q: 'ԛգզ',
  r: 'гᴦʀᏒɾя',
  s: 'ѕЅꜱՏᏚʂ',
  t: 'тТΤτᴛᎢҭŧ',
  u: 'υսᴜцυʊ',
  v: 'νѵᴠⅴᏙν',
  w: 'ԝᴡᏔшωѡ',
  x: 'хХΧχⅹ×',
  y: 'уУΥγʏүҮỿ',
  z: 'ᴢᏃΖʐ',
  "'": '’‘‛′ʼʹ＇`´',
  '-': '‐‑‒–—−',
};

const latinByLookalike: ReadonlyMap<string, string> = new Map(
  Object.entries(lookalikes).flatMap(([latin, likes]) => [...likes].map((like) => [like, latin] as const)),
);

const ignorable = /[\p{Default_Ignorable_Code_Point}\p{M}\p{Cc}\p{Cf}]/u;
const whitespace = /\s/u;

/** What a code point looks like to a reader, in lower-case Latin; empty for what nobody sees. */
export function skeletonOf(codePoint: string): string {
  if (codePoint >= ' ' && codePoint <= '~') return codePoint.toLowerCase();
  if (whitespace.test(codePoint)) return codePoint;
  const known = latinByLookalike.get(codePoint);
  if (known !== undefined) return known;
  let seen = '';
  for (const part of codePoint.normalize('NFKD')) {
    if (!ignorable.test(part)) seen += latinByLookalike.get(part) ?? part.toLowerCase();
  }
  return seen;
}

/** Characters that a reader cannot see and that no plain text needs, emoji sequences aside. */
export function findInvisible(text: string): { start: number; end: number } | null {
  const invisible = /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}]/gu;
  for (const found of text.matchAll(invisible)) {
    if (/[\n\r\t]/.test(found[0]) || isInsideEmoji(text, found.index, found[0])) continue;
    return { start: found.index, end: found.index + found[0].length };
  }
  return null;
}

function isInsideEmoji(text: string, index: number, character: string): boolean {
  if (character !== '\u200d' && character !== '\ufe0f') return false;
  const before = text.slice(Math.max(0, index - 3), index);
  return before.endsWith('\ufe0f') || /[\p{Extended_Pictographic}\p{Emoji_Modifier}]$/u.test(before);
}
