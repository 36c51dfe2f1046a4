import type { RowProblem } from '../../domain/recipe.js';
import { ByteOrderMarkFilter, type RawRow, RowBytes, type RowReader } from './read-rows.js';

const code = (character: string) => character.charCodeAt(0);
const lineFeed = code('\n');
const quote = code('"');
const backslash = code('\\');
const comma = code(',');
const openBracket = code('[');
const closeBracket = code(']');
const openBrace = code('{');
const closeBrace = code('}');

const missingComma: RowProblem = {
  code: 'InvalidJson',
  message: 'two values of the list stand without a comma between them',
  remedy: 'Write a comma after each value but the last.',
};
const surplusComma: RowProblem = {
  code: 'InvalidJson',
  message: 'the list ends after a comma',
  remedy: 'Remove the comma, or restore the value that should follow it.',
};
const unclosedList: RowProblem = {
  code: 'Truncated',
  message: 'the file ends within the list',
  remedy: 'The file was cut off: copy it again whole, or close the list with "]".',
};
const contentAfterList: RowProblem = {
  code: 'InvalidJson',
  message: 'something follows the end of the list',
  remedy: 'Keep one list in the file, or write one object a line in a .jsonl file.',
};

type Place = 'start' | 'betweenObjects' | 'firstValue' | 'value' | 'separator' | 'after';

/**
 * Reads a JSON document without holding it: a row is one element of the list, or one of the objects that
 * follow each other. It only finds where values begin and end; whether they are JSON is checked later.
 */
export class DocumentReader implements RowReader {
  private readonly mark = new ByteOrderMarkFilter();
  private readonly pending = new RowBytes();
  private place: Place = 'start';
  private isInValue = false;
  private isInString = false;
  private isEscaped = false;
  private isScalar = false;
  private depth = 0;
  private line = 1;
  private offset = 0;
  private index = 0;
  private valueLine = 1;
  private valueOffset = 0;

  get hadByteOrderMark(): boolean {
    return this.mark.found;
  }

  *push(chunk: Uint8Array): Iterable<RawRow> {
    const wasMarked = this.mark.found;
    const bytes = this.mark.push(chunk);
    if (this.mark.found && !wasMarked) this.offset += 3;
    yield* this.split(bytes);
  }

  *end(): Iterable<RawRow> {
    yield* this.split(this.mark.end());
    if (this.isInValue) yield this.takeRow(this.isScalar);
    else if (this.place === 'firstValue' || this.place === 'value' || this.place === 'separator') {
      yield this.faultRow(unclosedList);
    }
  }

  private *split(bytes: Buffer): Iterable<RawRow> {
    let start = 0;
    for (let position = 0; position < bytes.length; position += 1) {
      const byte = bytes[position] as number;
      if (this.isInValue && this.isScalar && !this.isInString && endsScalar(byte)) {
        this.pending.append(bytes.subarray(start, position));
        yield this.takeRow(true);
      }
      if (this.isInValue) {
        if (this.advance(byte)) {
          this.pending.append(bytes.subarray(start, position + 1));
          this.offset += 1;
          yield this.takeRow(true);
          continue;
        }
      } else if (!isSpace(byte)) {
        const row = this.passBetween(byte);
        if (row !== null) yield row;
        if (this.isInValue) start = position;
      }
      if (byte === lineFeed) this.line += 1;
      this.offset += 1;
    }
    if (this.isInValue) this.pending.append(bytes.subarray(start));
  }

  /** Takes a byte of the current value; true when it is the value's last. */
  private advance(byte: number): boolean {
    if (this.isInString) {
      if (this.isEscaped) this.isEscaped = false;
      else if (byte === backslash) this.isEscaped = true;
      else if (byte === quote) this.isInString = false;
      return false;
    }
    if (byte === quote) this.isInString = true;
    else if (byte === openBracket || byte === openBrace) this.depth += 1;
    else if (byte === closeBracket || byte === closeBrace) this.depth -= 1;
    return !this.isScalar && this.depth === 0;
  }

  /** Takes a byte outside any value. Returns a row where the byte has no business there. */
  private passBetween(byte: number): RawRow | null {
    switch (this.place) {
      case 'start':
        if (byte === openBracket) this.place = 'firstValue';
        else this.beginValue(byte, 'betweenObjects');
        return null;
      case 'betweenObjects':
        this.beginValue(byte, 'betweenObjects');
        return null;
      case 'firstValue':
      case 'value':
        return this.passValueStart(byte);
      case 'separator':
        if (byte === comma) this.place = 'value';
        else if (byte === closeBracket) this.place = 'after';
        else {
          const row = this.faultRow(missingComma);
          this.beginValue(byte, 'separator');
          return row;
        }
        return null;
      default: {
        const row = this.faultRow(contentAfterList);
        this.beginValue(byte, 'betweenObjects');
        return row;
      }
    }
  }

  private passValueStart(byte: number): RawRow | null {
    if (byte === closeBracket) {
      const row = this.place === 'value' ? this.faultRow(surplusComma) : null;
      this.place = 'after';
      return row;
    }
    if (byte === comma) {
      this.place = 'value';
      return this.faultRow(surplusComma);
    }
    this.beginValue(byte, 'separator');
    return null;
  }

  private beginValue(byte: number, next: Place): void {
    this.place = next;
    this.isInValue = true;
    this.valueLine = this.line;
    this.valueOffset = this.offset;
    this.isScalar = byte !== openBracket && byte !== openBrace;
    this.isInString = byte === quote;
    this.isEscaped = false;
    this.depth = this.isScalar ? 0 : 1;
  }

  private takeRow(isTerminated: boolean): RawRow {
    const { bytes, isTooLong } = this.pending.take();
    this.isInValue = false;
    const row: RawRow = {
      line: this.valueLine,
      byteOffset: this.valueOffset,
      index: this.index,
      bytes,
      isTooLong,
      isTerminated,
    };
    this.index += 1;
    return row;
  }

  private faultRow(fault: RowProblem): RawRow {
    const row: RawRow = {
      line: this.line,
      byteOffset: this.offset,
      index: this.index,
      bytes: Buffer.alloc(0),
      isTooLong: false,
      isTerminated: true,
      fault,
    };
    this.index += 1;
    return row;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === lineFeed || byte === 0x0d;
}

/** A string, number or word at the top level: never a valid row, but read whole so that it is reported once. */
function endsScalar(byte: number): boolean {
  return byte === comma || byte === closeBracket || isSpace(byte);
}
