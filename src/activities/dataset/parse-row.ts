import { isUtf8 } from 'node:buffer';
import { excerpt } from '../../domain/dataset/problem.js';
import { isJsonObject, type JsonObject } from '../../domain/json.js';
import type { RowProblem } from '../../domain/recipe.js';
import { longestRowBytes, type RawRow } from './read-rows.js';

export type ParsedRow =
  | { readonly row: JsonObject }
  | { readonly isBlank: true }
  | { readonly problem: RowProblem };

/** Reads the bytes of one row as a JSON object, or says why they are none. Never throws. */
export function parseRow(raw: RawRow): ParsedRow {
  if (raw.fault !== undefined) return { problem: raw.fault };
  if (raw.isTooLong) return { problem: tooLong };
  if (isBlank(raw.bytes)) return { isBlank: true };
  const unreadable = checkBytes(raw.bytes);
  if (unreadable !== null) return { problem: unreadable };
  const text = raw.bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? { row: value } : { problem: notAnObject(value) };
  } catch (error) {
    return { problem: invalidJson(error, text, raw.isTerminated) };
  }
}

const tooLong: RowProblem = {
  code: 'LineTooLong',
  message: `the row is longer than ${longestRowBytes / 1024 / 1024} MB`,
  remedy: 'Write one JSON object a line, with line breaks between them, and leave files and images out.',
};

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

function checkBytes(bytes: Buffer): RowProblem | null {
  if (looksLikeUtf16(bytes)) {
    return {
      code: 'InvalidUtf8',
      message: 'the text looks like UTF-16',
      remedy: 'Save the file as UTF-8, for instance with: iconv -f UTF-16 -t UTF-8',
    };
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    return {
      code: 'NulByte',
      message: `byte ${nul + 1} of the row is NUL`,
      remedy: 'The file is damaged or not text: export it again.',
    };
  }
  if (isUtf8(bytes)) return null;
  return {
    code: 'InvalidUtf8',
    message: `byte ${firstInvalidByte(bytes) + 1} of the row is not UTF-8`,
    remedy: 'Save the file as UTF-8; if it is Latin-1, with: iconv -f ISO-8859-1 -t UTF-8',
  };
}

/** A UTF-16 byte order mark, or a NUL in every other byte. */
function looksLikeUtf16(bytes: Buffer): boolean {
  const [first, second, third, fourth] = bytes;
  const hasMark = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return hasMark || (first === 0 && third === 0) || (second === 0 && fourth === 0);
}

/** Decoding puts U+FFFD where bytes are invalid: finds the first one that the bytes do not spell out. */
function firstInvalidByte(bytes: Buffer): number {
  const replacement = Buffer.from('\ufffd');
  let offset = 0;
  for (const character of bytes.toString('utf8')) {
    if (character === '\ufffd' && !bytes.subarray(offset, offset + 3).equals(replacement)) return offset;
    offset += Buffer.byteLength(character);
  }
  return offset;
}

function notAnObject(value: unknown): RowProblem {
  const found = Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
  return {
    code: 'NotAnObject',
    message: `the row is ${found}, not an object`,
    remedy: Array.isArray(value)
      ? 'Write each element as an object on a line of its own; a .json file may hold one list of objects.'
      : 'Write one JSON object a line, {"…": …}.',
  };
}

function invalidJson(error: unknown, text: string, isTerminated: boolean): RowProblem {
  const message = error instanceof Error ? error.message : String(error);
  if (!isTerminated && isAboutTheEnd(message, text)) {
    return {
      code: 'Truncated',
      message: `the file ends within the row, after "${excerpt(text.slice(-40), 40)}"`,
      remedy: 'The file was cut off: copy or upload it again whole, or remove the last row.',
    };
  }
  return {
    code: 'InvalidJson',
    message: excerpt(message, 160),
    remedy: `Correct the row that begins with ${excerpt(text, 40)}`,
  };
}

function isAboutTheEnd(message: string, text: string): boolean {
  if (/end of JSON|Unterminated/.test(message)) return true;
  const position = /at position (\d+)/.exec(message)?.[1];
  return position !== undefined && Number(position) >= text.trimEnd().length;
}
