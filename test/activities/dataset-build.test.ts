import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildDataset } from '../../src/activities/dataset/build-dataset.js';
import { createSourceDatabases } from '../../src/database/source-rows.js';
import type { DatasetCounts, DatasetProblem } from '../../src/domain/dataset.js';
import {
  conversationRow,
  DatasetWorkshop,
  exampleRow,
  exampleRows,
  failureOf,
  jsonLines,
} from '../support/dataset-build.js';
import { exampleRecipe } from '../support/example-recipe.js';

let workshop: DatasetWorkshop;
beforeEach(() => {
  workshop = new DatasetWorkshop();
});
afterEach(() => workshop.remove());

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

describe('a dataset of clean rows', () => {
  it('is stored as a training file, a manifest and nothing else', async () => {
    const manifest = await workshop.buildFile(exampleRows(9));
    expect(manifest).toMatchObject({
      records: 9,
      counts: { read: 9, accepted: 9, dropped: {}, byLabel: { none: 9 } },
      guardrails: { rulesetHash: 'd'.repeat(64), blocks: 0, warnings: 0 },
      validation: null,
      heldOut: null,
      recipeHash: 'c'.repeat(64),
      source: 'file:rows.jsonl',
      tokenizer: 'estimated: 4 characters a token',
    });
    const [first] = workshop.text(manifest.training.uri).split('\n');
    expect(first).toBe(
      '{"schemaVersion":"bedrock-conversation-2024","system":[{"text":"Answer briefly."}],"messages":[{"role":"user","content":[{"text":"Question 0?"}]},{"role":"assistant","content":[{"text":"0"}]}]}',
    );
    expect(manifest.trainingTokens).toBe(
      Math.ceil((9 * ('Answer briefly.'.length + 'Question 0?'.length + 1)) / 4),
    );
    expect(JSON.parse(workshop.text(manifest.manifestUri))).toEqual(manifest);
    expect([...workshop.objects.objects.keys()].sort()).toEqual(
      [manifest.manifestUri, manifest.training.uri].sort(),
    );
    expect(workshop.scratchFiles()).toEqual([]);
  });

  it('is the same to the last byte when it is built again, also from another place', async () => {
    const manifest = await workshop.buildFile(exampleRows(40), { validationShare: 0.2 });
    const other = new DatasetWorkshop();
    const again = await other.buildFile(exampleRows(40), { validationShare: 0.2 });
    expect(again).toEqual(manifest);
    expect(other.objects.objects).toEqual(workshop.objects.objects);
    other.remove();
  });

  it('has the same SHA-256 wherever equal rows came from, but never the place of another dataset', async () => {
    const manifest = await workshop.buildFile(exampleRows(9));
    const padded = await workshop.buildFile(`${exampleRows(9)}\n${exampleRow(3)}\n`);
    expect(padded.sha256).toBe(manifest.sha256);
    expect(padded.manifestUri).not.toBe(manifest.manifestUri);
    expect(padded.counts).toEqual({
      read: 11,
      accepted: 9,
      dropped: { blank: 1, duplicate: 1 },
      byLabel: { none: 9 },
    });
  });

  it('can be read back as a source and gives the same bytes again', async () => {
    const manifest = await workshop.buildFile(exampleRows(12));
    const again = await workshop.build({ source: { kind: 'file', path: manifest.training.uri } });
    expect(again.training.sha256).toBe(manifest.training.sha256);
  });

  it('notes what was accepted with a remark', async () => {
    const rows = Array.from({ length: 8 }, (_, index) => `${conversationRow(index)}\r\n`).join('');
    const manifest = await workshop.buildFile(`\ufeff${rows}${exampleRow(1, { answer: 'my user: 5' })}`);
    expect(manifest.notes).toEqual({ ByteOrderMark: 1, ReservedTokenCasing: 1 });
  });

  it('keeps texts with line separators whole', async () => {
    const odd = exampleRow(99, { question: 'a\u2028b\u2029c\r\nd' });
    const manifest = await workshop.buildFile(`${exampleRows(8)}${odd}\n`);
    const rows = jsonLines<{ messages: { content: { text: string }[] }[] }>(
      workshop.text(manifest.training.uri),
    );
    expect(rows[8]?.messages[0]?.content[0]?.text).toBe('a\u2028b\u2029c\r\nd');
  });

  it('counts rows that the recipe has no use for, without refusing the others', async () => {
    const example = exampleRecipe();
    const recipe = exampleRecipe({
      mapRow: (row, origin) =>
        row.answer === '2' || row.answer === '5' ? { leftOut: 'TooEasy' } : example.mapRow(row, origin),
    });
    const manifest = await workshop.buildFile(exampleRows(12), { recipe });
    expect(manifest.counts).toMatchObject({ read: 12, accepted: 10, dropped: { TooEasy: 2 } });
  });

  it('keeps a record that is larger than the longest row, since the recipe may add to a row', async () => {
    const question = 'long '.repeat(1_400_000);
    const manifest = await workshop.buildFile(`${exampleRows(8)}${exampleRow(99, { question })}\n`);
    expect(manifest.training.records).toBe(9);
    expect(manifest.training.bytes).toBeGreaterThan(question.length);
  });

  it('lets the recipe complete ready conversations', async () => {
    const recipe = exampleRecipe({
      annotate: (record) => ({ record: { ...record, label: record.turns[0]?.text.slice(9) ?? null } }),
    });
    const rows = Array.from({ length: 8 }, (_, index) => `${conversationRow(index)}\n`).join('');
    const manifest = await workshop.buildFile(rows, { recipe });
    expect(Object.keys(manifest.counts.byLabel)).toEqual(['0?', '1?', '2?', '3?', '4?', '5?', '6?', '7?']);
  });
});

describe('a dataset with anything wrong', () => {
  it('is refused with every problem listed, the first one in the message', async () => {
    const rows = [exampleRow(0), '{"a":', exampleRow(1, { answer: 'System: on' }), ''].join('\n');
    const failure = await failureOf(workshop.buildFile(exampleRows(8, 50) + rows));
    const byteOffset = Buffer.byteLength(`${exampleRows(8, 50)}${exampleRow(0)}\n`);
    expect(failure.type).toBe('DatasetRejected');
    expect(failure.message).toMatch(
      new RegExp(
        `^rows\\.jsonl:10 \\(byte ${byteOffset}\\) InvalidJson: .+\\. Correct the row .+ 1 more problem\\. 2 of 11 rows are refused\\. The full list is in s3://`,
      ),
    );
    const uri = failure.message.slice(failure.message.indexOf('s3://'));
    expect(jsonLines(workshop.text(uri))).toEqual(failure.details);
    expect(failure.details).toMatchObject([
      { file: 'rows.jsonl', line: 10, byteOffset, code: 'InvalidJson' },
      { line: 11, code: 'ReservedToken', remedy: expect.stringContaining('System -') },
    ]);
    expect([...workshop.objects.objects.keys()]).toEqual([uri]);
    expect(workshop.scratchFiles()).toEqual([]);
  });

  it.each([
    [
      'a block',
      exampleRow(1, { answer: 'a forbidden word' }),
      'GuardrailBlock',
      'rule 1 (R1.forbidden) in text: "forbidden"',
    ],
    ['a warning', exampleRow(1, { answer: 'a doubtful word' }), 'GuardrailWarning', 'rule 1 (R1.doubtful)'],
    ['an unusable answer', exampleRow(1, { answer: 'unparsable' }), 'UnusableAnswer', 'it is not JSON'],
    ['a row that the recipe cannot map', '{"text":"Hello"}', 'MissingMember', 'no "question"'],
    ['an id that is taken', exampleRow(50, { answer: 'another' }), 'DuplicateId', 'row-50'],
    ['an empty id', exampleRow(1, { id: '' }), 'RecipeFailed', 'an empty id'],
    ['an empty text', exampleRow(1, { answer: ' ' }), 'EmptyText', 'messages[1] is empty'],
    ['a raw conversation', '{"system":"a","messages":[]}', 'ContentNotArray', 'system'],
  ])('is refused for %s', async (_, row, code, message) => {
    const failure = await failureOf(workshop.buildFile(`${exampleRows(8, 50)}${row}\n`));
    expect(failure.details).toMatchObject([
      { line: 9, code, message: expect.stringContaining(message), remedy: expect.stringMatching(/./) },
    ]);
  });

  it('names the row on which a recipe throws', async () => {
    const recipe = exampleRecipe({
      mapRow: () => {
        throw new RangeError('too deep');
      },
    });
    const failure = await failureOf(workshop.buildFile('{}\n', { recipe }));
    expect(failure.message).toContain('rows.jsonl:1 (byte 0) RecipeFailed');
    expect(failure.message).toContain('too deep');
  });

  it('shows twenty problems, lists ten thousand and counts all', async () => {
    const failure = await failureOf(workshop.buildFile('[]\n'.repeat(10_005)));
    expect(failure.details).toHaveLength(20);
    expect(failure.message).toContain(
      '10004 more problems. 10005 of 10005 rows are refused. The first 10000',
    );
    const uri = failure.message.slice(failure.message.indexOf('s3://'));
    expect(jsonLines(workshop.text(uri))).toHaveLength(10_000);
  });

  it('is refused with too few or too many records, with its books', async () => {
    const few = await failureOf(workshop.buildFile(`${exampleRows(7)}\n${exampleRow(1)}\n`));
    expect(few.message).toContain('file:rows.jsonl: 7 records are left, but Nova trains on 8 to 20000');
    expect(few.message).toContain('(9 rows read, 1 blank, 1 duplicate dropped, 7 accepted)');
    const many = await failureOf(workshop.buildFile(exampleRows(20_001)));
    expect(many.message).toContain('more than 20000 records');
  });

  it('keeps its books on any lines: accepted and dropped rows are the rows that were read', async () => {
    const good = fc.nat(40).map((number) => exampleRow(number));
    const line = fc.oneof(
      { weight: 6, arbitrary: good },
      { weight: 1, arbitrary: fc.constantFrom('', ' \t', '\r') },
      { weight: 1, arbitrary: fc.nat(5).map(conversationRow) },
    );
    const bad = fc.oneof(
      fc.constantFrom('{', '[]', 'null', '{"messages":[]}', '{"messages":{}}', '{"__proto__":{}}', '\0'),
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', '')),
      good.map((row) => row.replace('Question', 'USER: Question')),
    );
    const soup = fc.array(fc.oneof({ weight: 20, arbitrary: line }, { weight: 1, arbitrary: bad }), {
      minLength: 1,
      maxLength: 60,
    });
    let built = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(soup, async (lines) => {
        const text = `${lines.join('\n')}\n`;
        const ending = await workshop
          .buildFile(text)
          .catch((error: unknown) => failureOf(Promise.reject(error)));
        if ('counts' in ending) {
          built += 1;
          expect(ending.counts.read).toBe(lines.length);
          expect(ending.counts.accepted + sumOf(ending.counts.dropped)).toBe(lines.length);
          expect(ending.counts.accepted).toBe(ending.training.records);
          expect(sumOf(ending.counts.byLabel)).toBe(ending.counts.accepted);
          return;
        }
        refused += 1;
        const [first] = ending.details as (DatasetProblem | DatasetCounts)[];
        if (first && 'line' in first) {
          expect(ending.message).toContain(` of ${lines.length} rows are refused`);
          for (const problem of ending.details as DatasetProblem[]) {
            const before = lines.slice(0, problem.line - 1).map((row) => `${row}\n`);
            expect(problem.byteOffset).toBe(Buffer.byteLength(before.join('')));
          }
        } else if (first) {
          expect(first.accepted + sumOf(first.dropped)).toBe(first.read);
          expect(first.read).toBe(lines.length);
        }
      }),
      { numRuns: 150 },
    );
    expect(Math.min(built, refused)).toBeGreaterThan(5);
  });

  it('never ends but by a manifest or a permanent failure, on any bytes in any layout', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.constantFrom('rows.jsonl', 'rows.json', 'rows.txt'),
        async (bytes, name) => {
          const path = workshop.write(name, bytes);
          const failure = await failureOf(workshop.build({ source: { kind: 'file', path } }));
          expect(failure.type).toBe('DatasetRejected');
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('the split', () => {
  const splitOf = async (rows: string, validationShare: number) => {
    const manifest = await workshop.buildFile(rows, { validationShare });
    return new Set(workshop.heldOut(manifest).map((record) => record.id));
  };

  it('never moves old rows when rows are added', async () => {
    const before = await splitOf(exampleRows(200), 0.1);
    const after = await splitOf(exampleRows(300, -50), 0.1);
    expect(before.size).toBeGreaterThan(8);
    const numbered = (id: string) => Number(id.slice('row-'.length));
    const kept = [...after].filter((id) => numbered(id) >= 0 && numbered(id) < 200);
    expect(new Set(kept)).toEqual(before);
  });

  it('keeps the records of one group together and the canonical records beside the validation file', async () => {
    const rows = Array.from({ length: 300 }, (_, index) =>
      exampleRow(index, { question: `Question ${index % 60}?`, topic: `topic ${index % 3}` }),
    ).join('\n');
    const manifest = await workshop.buildFile(rows, { validationShare: 0.25 });
    const heldOut = workshop.heldOut(manifest);
    const questions = new Set(heldOut.map((record) => record.groupKey));
    expect(heldOut).toHaveLength(questions.size * 5);
    expect(manifest.training.records + heldOut.length).toBe(300);
    expect(manifest.heldOut?.records).toBe(manifest.validation?.records);
    for (const question of questions) expect(workshop.text(manifest.training.uri)).not.toContain(question);
    expect(new Set(heldOut.map((record) => record.label)).size).toBe(3);
  });

  it('gives every size its share, about', async () => {
    const held = await splitOf(exampleRows(5_000), 0.1);
    expect(held.size).toBeGreaterThan(400);
    expect(held.size).toBeLessThan(600);
  });

  it('holds at least one record of twenty out, and moves at most that one when rows are added', async () => {
    const small = await splitOf(exampleRows(20), 0.0001);
    expect(small.size).toBe(1);
    const larger = await splitOf(exampleRows(60), 0.0001);
    const old = [...larger].filter((id) => Number(id.slice(4)) < 20);
    expect(old.every((id) => small.has(id))).toBe(true);
  });

  it('says clearly why there is no validation split or too little to train on', async () => {
    const empty = await failureOf(workshop.buildFile(exampleRows(12), { validationShare: 0.0001 }));
    expect(empty.message).toContain(
      'the validation split is empty: 12 records in 12 groups at a validationShare of 0.0001',
    );
    const oneGroup = Array.from({ length: 30 }, (_, index) => exampleRow(index, { question: 'Same?' }));
    const single = await failureOf(workshop.buildFile(oneGroup.join('\n'), { validationShare: 0.0001 }));
    expect(single.message).toContain('30 records in 1 group at');
    const thin = await failureOf(workshop.buildFile(exampleRows(9), { validationShare: 0.5 }));
    expect(thin.message).toMatch(/the training split has \d records, but Nova needs 8/);
  });
});

describe('a long build', () => {
  it('gives way to the event loop before every report of how far it is', async () => {
    let turns = 0;
    let counting = setImmediate(function count() {
      turns += 1;
      counting = setImmediate(count);
    });
    const reports: { done: number; turns: number }[] = [];
    await workshop.build(
      { source: { kind: 'builder', records: 5_000 } },
      { progress: (_, done) => reports.push({ done, turns }) },
    );
    clearImmediate(counting);
    expect(reports.length).toBeGreaterThan(10);
    expect(reports.some((report) => report.done === 5_000)).toBe(true);
    for (const [index, report] of reports.entries()) {
      expect(report.turns).toBeGreaterThan(reports[index - 1]?.turns ?? 0);
    }
  });

  it('stops when it is cancelled and leaves nothing behind', async () => {
    const cancellation = new AbortController();
    const building = workshop.build(
      { source: { kind: 'builder', records: 20_000 } },
      { signal: cancellation.signal, progress: () => cancellation.abort(new Error('cancelled')) },
    );
    await expect(building).rejects.toThrow('cancelled');
    await setTimeout(1);
    expect(workshop.scratchFiles()).toEqual([]);
    expect(workshop.objects.objects.size).toBe(0);
  });

  it('passes on a failure of the object store, which is worth another try', async () => {
    workshop.objects.putFile = () => Promise.reject(new Error('connection reset'));
    await expect(workshop.buildFile(exampleRows(8))).rejects.toThrow('connection reset');
    expect(workshop.scratchFiles()).toEqual([]);
  });

  it('refuses an input that no build can follow', async () => {
    const dependencies = {
      objects: workshop.objects,
      databases: createSourceDatabases({}),
      workingDirectory: '.',
      temporaryDirectory: '.',
    };
    const input = {
      recipe: exampleRecipe(),
      source: { kind: 'file', path: 'rows.jsonl' } as const,
      validationShare: 0.9,
      destination: 's3://anneal/datasets',
      format: 'bedrock-conversation-2024',
    } as const;
    expect((await failureOf(buildDataset(input, dependencies))).message).toContain('allowed is 0 to 0.5');
    const elsewhere = { ...input, validationShare: 0, destination: '/tmp' };
    expect((await failureOf(buildDataset(elsewhere, dependencies))).message).toContain('s3://bucket/prefix');
  });
});
