import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DocumentReader } from '../../src/activities/dataset/document-reader.js';
import { LineReader } from '../../src/activities/dataset/line-reader.js';
import { type ParsedRow, parseRow } from '../../src/activities/dataset/parse-row.js';
import { longestRowBytes, type RawRow, type RowReader } from '../../src/activities/dataset/read-rows.js';
import { rowToRecord } from '../../src/activities/dataset/row-to-record.js';
import { exampleRecipe } from '../support/example-recipe.js';

function rowsOf(reader: RowReader, file: Buffer, chunkBytes = file.length || 1): RawRow[] {
  const rows: RawRow[] = [];
  for (let start = 0; start < file.length; start += chunkBytes) {
    rows.push(...reader.push(file.subarray(start, start + chunkBytes)));
  }
  rows.push(...reader.end());
  return rows;
}

function parsed(reader: RowReader, file: string | Buffer): ParsedRow[] {
  return rowsOf(reader, Buffer.from(file)).map(parseRow);
}

function firstCode(reader: RowReader, file: string | Buffer): string | null {
  for (const row of parsed(reader, file)) if ('problem' in row) return row.problem.code;
  return null;
}

describe('reading lines', () => {
  it('finds the same rows in any chunks, at exactly the bytes it names', () => {
    const line = fc.uint8Array({ maxLength: 12 }).map((bytes) => bytes.filter((byte) => byte !== 0x0a));
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        (lines, isMarked, endsWithBreak, chunkBytes) => {
          const mark = isMarked ? Buffer.from('\ufeff') : Buffer.alloc(0);
          const joined = lines.map((bytes) => Buffer.from(bytes).toString('latin1')).join('\n');
          const file = Buffer.concat([mark, Buffer.from(joined + (endsWithBreak ? '\n' : ''), 'latin1')]);
          const rows = rowsOf(new LineReader(), file, chunkBytes);
          expect(rows).toEqual(rowsOf(new LineReader(), file));
          for (const [index, row] of rows.entries()) {
            expect(row.line).toBe(index + 1);
            const skipped = index === 0 && file.subarray(0, 3).equals(Buffer.from('\ufeff')) ? 3 : 0;
            const start = row.byteOffset + skipped;
            expect(file.subarray(start, start + row.bytes.length)).toEqual(row.bytes);
            expect(row.byteOffset === 0 || file[row.byteOffset - 1] === 0x0a).toBe(true);
          }
          const breaks = file.filter((byte) => byte === 0x0a).length;
          const hasRest = file.length > 0 && file[file.length - 1] !== 0x0a && joined !== '';
          expect(rows.length).toBe(breaks + (hasRest ? 1 : 0));
        },
      ),
    );
  });

  it('takes CRLF for a line break and splits at no other character', () => {
    const rows = rowsOf(new LineReader(), Buffer.from('{"a":1}\r\n{"b":"\u2028\u0085"}\r\n'));
    expect(rows.map((row) => row.bytes.toString())).toEqual(['{"a":1}', '{"b":"\u2028\u0085"}']);
    expect(rows.map((row) => row.byteOffset)).toEqual([0, 9]);
  });

  it('skips a row that is too long and reads the next one', () => {
    const long = Buffer.alloc(longestRowBytes + 1, 0x61);
    const file = Buffer.concat([long, Buffer.from('\n{"a":1}\n')]);
    const rows = rowsOf(new LineReader(), file, 1024 * 1024);
    expect(rows.map((row) => [row.isTooLong, row.bytes.length])).toEqual([
      [true, 0],
      [false, 7],
    ]);
    expect(rows[1]?.byteOffset).toBe(long.length + 1);
    expect(rows.map(parseRow)).toMatchObject([{ problem: { code: 'LineTooLong' } }, { row: { a: 1 } }]);
  });
});

describe('reading a JSON document', () => {
  it('finds every element of a list with its line and byte, in any chunks and layout', () => {
    const element = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(
        fc.array(element, { maxLength: 6 }),
        fc.constantFrom(undefined, 1, '\t'),
        fc.integer({ min: 1, max: 9 }),
        (elements, space, chunkBytes) => {
          const file = Buffer.from(JSON.stringify(elements, null, space));
          const rows = rowsOf(new DocumentReader(), file, chunkBytes);
          expect(rows.map((row) => row.bytes.toString()).map((text) => JSON.parse(text))).toEqual(
            JSON.parse(file.toString()),
          );
          for (const row of rows) {
            const before = file.subarray(0, row.byteOffset).toString();
            expect(row.line).toBe(before.split('\n').length);
            expect(file[row.byteOffset]).toBe('{'.charCodeAt(0));
          }
        },
      ),
    );
  });

  it('reads one object, and objects that follow each other', () => {
    expect(parsed(new DocumentReader(), ' {\n"a": [1, "]}"]\n} ')).toEqual([{ row: { a: [1, ']}'] } }]);
    expect(parsed(new DocumentReader(), '{"a":1}\n{"a":2}')).toHaveLength(2);
    expect(parsed(new DocumentReader(), '[]')).toEqual([]);
  });

  it.each([
    ['a missing comma', '[{"a":1} {"a":2}]', 'InvalidJson'],
    ['a comma too many', '[{"a":1},]', 'InvalidJson'],
    ['two commas', '[{"a":1},,{"a":2}]', 'InvalidJson'],
    ['a second list', '[{"a":1}] [{"a":2}]', 'InvalidJson'],
    ['an unclosed list', '[{"a":1}', 'Truncated'],
    ['an unclosed object', '[{"a":1', 'Truncated'],
    ['a number in the list', '[5]', 'NotAnObject'],
    ['a text in the list', '["a, b"]', 'NotAnObject'],
    ['something that is no JSON', 'hello', 'InvalidJson'],
  ])('refuses %s', (_, file, code) => {
    expect(firstCode(new DocumentReader(), file)).toBe(code);
  });

  it('ends on any bytes, with rows that can be parsed or named as problems', () => {
    const piece = fc.constantFrom('{', '}', '[', ']', ',', '"', '\\', '1', ' ', '\n', 'a', '\u00e9');
    const soup = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join(''))),
    );
    fc.assert(
      fc.property(soup, fc.integer({ min: 1, max: 9 }), (file, chunkBytes) => {
        const rows = rowsOf(new DocumentReader(), file, chunkBytes);
        expect(rows).toEqual(rowsOf(new DocumentReader(), file));
        for (const row of rows) {
          expect(parseRow(row)).toBeTypeOf('object');
          expect(file.subarray(row.byteOffset, row.byteOffset + row.bytes.length)).toEqual(row.bytes);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('parsing a row', () => {
  it.each<[string, string | Buffer, string]>([
    ['a list', '[1]\n', 'NotAnObject'],
    ['null', 'null\n', 'NotAnObject'],
    ['broken JSON', '{"a":nope}\n', 'InvalidJson'],
    ['two objects on a line', '{"a":1}{"b":2}\n', 'InvalidJson'],
    ['a line cut off by the end of the file', '{"a":"b', 'Truncated'],
    ['an object cut off after a value', '{"a":1', 'Truncated'],
    ['a broken last line that was not cut off', '{"a":nope}', 'InvalidJson'],
    ['an unfinished line in the middle', '{"a":"b\n{}\n', 'InvalidJson'],
    ['Latin-1', Buffer.from('{"a":"\xe9"}\n', 'latin1'), 'InvalidUtf8'],
    ['an overlong encoding', Buffer.from([0x7b, 0xc0, 0x80, 0x7d]), 'InvalidUtf8'],
    ['UTF-16', Buffer.from('\ufeff{"a":1}', 'utf16le'), 'InvalidUtf8'],
    ['a NUL byte', '{"a":"b\0"}\n', 'NulByte'],
    ['a second byte order mark', '\ufeff\ufeff{}\n', 'InvalidJson'],
  ])('refuses %s', (_, file, code) => {
    expect(firstCode(new LineReader(), file)).toBe(code);
  });

  it('names the first byte that is not UTF-8', () => {
    const [row] = parsed(new LineReader(), Buffer.from([...Buffer.from('{"\ufffdé'), 0xff, 0x22, 0x7d]));
    expect(row).toMatchObject({ problem: { message: 'byte 8 of the row is not UTF-8' } });
  });

  it('reads on after a byte order mark and takes white space for blank', () => {
    const reader = new LineReader();
    expect(parsed(reader, '\ufeff{"a":1}\n \t\r\n\n')).toEqual([
      { row: { a: 1 } },
      { isBlank: true },
      { isBlank: true },
    ]);
    expect(reader.hadByteOrderMark).toBe(true);
  });
});

describe('making a record of a row', () => {
  it('says that the roles are in the wrong order before what the recipe makes of the row', () => {
    const recipe = exampleRecipe({
      annotate: () => ({ problem: { code: 'Odd', message: 'the answer is odd', remedy: 'Mend it.' } }),
    });
    const message = (role: string) => ({ role, content: [{ text: 'Hello' }] });
    const row = { system: [{ text: 'Answer.' }], messages: [message('assistant'), message('user')] };
    const result = rowToRecord(row, recipe, { source: 'file', index: 0 });
    expect(result).toMatchObject({ problems: [{ code: 'RoleOrder' }] });
  });
});
