import { createHash } from 'node:crypto';
import { novaRecordLimits } from '../../domain/dataset/conversation-format.js';
import { checkConversation } from '../../domain/dataset/conversation-rules.js';
import { excerpt } from '../../domain/dataset/problem.js';
import { type GroupSize, splitBuckets, splitOf } from '../../domain/dataset/split.js';
import type { DatasetRecord, Split } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { JsonObject } from '../../domain/json.js';
import type { Recipe, RowProblem } from '../../domain/recipe.js';
import { checkAnswers } from './check-answers.js';
import { DocumentReader } from './document-reader.js';
import type { HashedFile } from './hashed-file.js';
import { LineReader } from './line-reader.js';
import type { Pace } from './pace.js';
import { parseRow } from './parse-row.js';
import { longestRowBytes, type RawRow } from './read-rows.js';
import { rejectForSize } from './rejection.js';
import { RowLedger, type RowPlace } from './row-ledger.js';
import { conversationHash, rowToRecord } from './row-to-record.js';
import type { SourceFile } from './source-file.js';
import type { OpenedSource } from './sources.js';
import type { OpenedRows } from './sql-source.js';

/** An accepted record with the split its group falls into; a line of the file between the two passes. */
export interface AcceptedRecord {
  readonly split: Split;
  readonly record: DatasetRecord;
}

/**
 * The first pass: reads and checks every row and keeps the accepted records in a file. It never stops at a
 * bad row, so that one build shows everything that is wrong.
 *
 * Memory is flat: beyond the number of records that any training accepts, a dataset is refused for its size,
 * so further records are checked and counted but no longer remembered, kept or compared.
 */
export class Intake {
  readonly ledger = new RowLedger();
  readonly groups = new Map<string, GroupSize>();
  validationRecords = 0;
  private readonly seen = new Set<string>();
  private readonly ids = new Set<string>();

  constructor(
    private readonly recipe: Recipe,
    private readonly validationShare: number,
    private readonly kept: HashedFile,
    private readonly pace: Pace,
  ) {}

  async takeAll(source: OpenedSource): Promise<void> {
    if (source.kind === 'records') await this.takeBuilt(source);
    else if (source.kind === 'rows') await this.takeSelected(source);
    else for (const file of source.files) await this.takeFile(file);
    await this.pace.rest(`Checked ${this.ledger.read} rows`, this.ledger.read);
  }

  private async takeFile(file: SourceFile): Promise<void> {
    const readBefore = this.ledger.read;
    const reader = file.layout === 'lines' ? new LineReader() : new DocumentReader();
    for await (const chunk of file.open()) await this.takeRows(file, reader.push(chunk));
    await this.takeRows(file, reader.end());
    if (reader.hadByteOrderMark) this.ledger.note('ByteOrderMark');
    if (this.ledger.read === readBefore) this.ledger.note('EmptyFile');
  }

  private async takeRows(file: SourceFile, rows: Iterable<RawRow>): Promise<void> {
    for (const raw of rows) {
      this.takeRow(file, raw);
      await this.restWhereDue(file.name);
    }
  }

  /** Rows come sorted by key, so equal keys stand side by side. */
  private async takeSelected(source: OpenedRows): Promise<void> {
    let index = 0;
    let keyBefore: string | null = null;
    for await (const { row, table, key } of source.read()) {
      const name = table || 'the result';
      const place = { file: name, key: key ?? 'without a key', line: index + 1, byteOffset: 0 };
      const problem = key === null ? missingKey : key === keyBefore ? duplicateKey : null;
      if (problem) this.ledger.refuse(place, [problem]);
      else this.takeBytes(place, `sql:${name}#${key}`, rawRowOf(row, index));
      keyBefore = key;
      index += 1;
      await this.restWhereDue(name);
    }
    if (index < source.minimum) {
      throw rejectForSize(
        source.description,
        this.ledger,
        `${index} rows, but dataset.source.minimumRows asks for ${source.minimum}. Wait until there are more, or lower it.`,
      );
    }
  }

  private async takeBuilt(source: Extract<OpenedSource, { kind: 'records' }>): Promise<void> {
    const file = source.description.split(' ')[0] ?? source.description;
    const records = recordsOf(source, file);
    for (const record of records) {
      const place = { file, line: this.ledger.read + 1, byteOffset: 0 };
      this.takeRecord(place, record);
      await this.restWhereDue(file);
    }
    if (this.ledger.read !== source.expected) {
      throw new PermanentFailure(
        'DatasetRejected',
        `${file} made ${this.ledger.read} records instead of ${source.expected}. The recipe "${this.recipe.name}" has a defect in its builder.`,
      );
    }
  }

  private async restWhereDue(file: string): Promise<void> {
    if (this.kept.isFlushDue) await this.kept.flush();
    if (this.pace.isRestDue()) {
      await this.pace.rest(`Checked ${this.ledger.read} rows, now in ${file}`, this.ledger.read);
    }
  }

  private takeRow(file: SourceFile, raw: RawRow): void {
    const place = { file: file.name, line: raw.line, byteOffset: raw.byteOffset };
    this.takeBytes(place, `file:${file.label}#${file.layout === 'lines' ? raw.line : raw.index + 1}`, raw);
  }

  private takeBytes(place: RowPlace, source: string, raw: RawRow): void {
    const parsed = parseRow(raw);
    if ('isBlank' in parsed) this.ledger.drop('blank');
    else if ('problem' in parsed) this.ledger.refuse(place, [parsed.problem]);
    else this.takeObject(place, parsed.row, { source, index: raw.index });
  }

  private takeObject(place: RowPlace, row: JsonObject, origin: { source: string; index: number }): void {
    const result = rowToRecord(row, this.recipe, origin);
    if ('leftOut' in result) this.ledger.drop(result.leftOut);
    else if ('problems' in result) this.ledger.refuse(place, result.problems);
    else if (this.takeRecord(place, result.record)) this.ledger.note('JoinedTexts', result.joinedTexts);
  }

  /** True when the record was accepted. */
  private takeRecord(place: RowPlace, record: DatasetRecord): boolean {
    const check = checkConversation(record);
    if (this.refuseWhere(place, check.problems)) return false;
    const hash = conversationHash(record);
    if (this.seen.has(hash)) {
      this.ledger.drop('duplicate');
      return false;
    }
    const isRemembered = this.seen.size <= novaRecordLimits.maximum;
    if (isRemembered) this.seen.add(hash);
    if (this.refuseWhere(place, this.checkIdentity(record))) return false;
    if (isRemembered) this.ids.add(record.id);
    const answers = checkAnswers(record, this.recipe);
    if (this.refuseWhere(place, answers.problems)) return false;
    this.ledger.accept(record.label);
    this.ledger.note('ReservedTokenCasing', check.unusualCasings);
    this.ledger.note('GuardrailShadow', answers.shadows);
    if (isRemembered) this.keep(record);
    return true;
  }

  private refuseWhere(place: RowPlace, problems: readonly RowProblem[]): boolean {
    const [first, ...others] = problems;
    if (first !== undefined) this.ledger.refuse(place, [first, ...others]);
    return first !== undefined;
  }

  private checkIdentity(record: DatasetRecord): RowProblem[] {
    if (record.id === '' || record.groupKey === '') {
      return [
        {
          code: 'RecipeFailed',
          message: `the recipe "${this.recipe.name}" gave the record an empty ${record.id === '' ? 'id' : 'groupKey'}`,
          remedy: 'Check that the row names itself; if it does, the recipe has a defect.',
        },
      ];
    }
    if (!this.ids.has(record.id)) return [];
    return [
      {
        code: 'DuplicateId',
        message: `another record with other contents has the id "${excerpt(record.id)}" already`,
        remedy: 'Give every row an id of its own.',
      },
    ];
  }

  private keep(record: DatasetRecord): void {
    const { bucket, rank } = rankOf(record.groupKey);
    const split = splitOf(bucket, this.validationShare);
    if (split === 'validation') this.validationRecords += 1;
    const records = (this.groups.get(record.groupKey)?.records ?? 0) + 1;
    this.groups.set(record.groupKey, { groupKey: record.groupKey, rank, records });
    const accepted: AcceptedRecord = { split, record };
    this.kept.add(JSON.stringify(accepted));
  }
}

const missingKey: RowProblem = {
  code: 'MissingKey',
  message: 'a column of dataset.source.key is empty',
  remedy: 'Name columns that every row has, or leave such rows out in the query.',
};
const duplicateKey: RowProblem = {
  code: 'DuplicateKey',
  message: 'the row before has the same key',
  remedy:
    'Select one row a key, for instance with DISTINCT ON, or name the columns that tell the rows apart.',
};

/** As a file of JSON lines would have it, so that rows of tables and files pass the same checks. */
function rawRowOf(row: JsonObject, index: number): RawRow {
  const bytes = Buffer.from(JSON.stringify(row));
  const isTooLong = bytes.length > longestRowBytes;
  const place = { line: index + 1, byteOffset: 0, index };
  return { ...place, bytes: isTooLong ? Buffer.alloc(0) : bytes, isTooLong, isTerminated: true };
}

/** The group's place in the fixed order of all groups. The salt is part of the format: never change it. */
function rankOf(groupKey: string): { bucket: number; rank: string } {
  const hash = createHash('sha256').update('anneal/split/v1\0').update(groupKey).digest('hex');
  const bucket = Number(BigInt(`0x${hash}`) % BigInt(splitBuckets));
  return { bucket, rank: `${String(bucket).padStart(5, '0')}:${hash}` };
}

/** The builder's records; an exception of its own ends the build instead of being tried for ever. */
function* recordsOf(
  source: Extract<OpenedSource, { kind: 'records' }>,
  file: string,
): Generator<DatasetRecord, void> {
  let made = 0;
  try {
    for (const record of source.build()) {
      made += 1;
      yield record;
    }
  } catch (error) {
    if (error instanceof PermanentFailure) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new PermanentFailure('DatasetRejected', `${file} failed after ${made} records: ${message}`, [], {
      cause: error,
    });
  }
}
