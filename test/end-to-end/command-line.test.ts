import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { type Desk, startDesk } from '../support/desk.js';
import { type Row, resultRow, rows } from './command-line-rows.js';

const page = join(repositoryRoot, 'docs/command-line.md');
const [begin, end] = ['<!-- begin: written by the test -->', '<!-- end: written by the test -->'];

/** Training before a row can take its time on a busy machine; what is asserted is each answer. */
const patienceMs = 180_000;

let desk: Desk;
const seconds = new Map<Row, number>();

beforeAll(async () => {
  desk = await startDesk();
});
afterAll(() => desk?.stop());

describe('the temporal CLI against a stack as npm run up starts it', () => {
  it.each(rows)('answers $title', { timeout: patienceMs }, async (row) => {
    if (row.before) await desk.type(`set -e\n${row.before}`).then(expectSuccess);
    const typed = await desk.type(row.command);
    const { status, failureType, lifeSeconds } = await closing(row.workflowId);
    expect(
      {
        exitCode: typed.exitCode,
        status,
        failureType: failureType ?? /\(type: (\w+)/.exec(typed.output)?.[1],
      },
      typed.output,
    ).toEqual({ exitCode: row.exitCode, status: row.status, failureType: row.failureType });
    expect(typed.output).toContain(row.says);
    expect(typed.seconds).toBeLessThan(row.withinSeconds ?? 10);
    seconds.set(row, row === resultRow ? lifeSeconds : typed.seconds);
  });

  it('left nothing that bills but the champion, and bought one job for each run that trained', async () => {
    expect((await desk.live()).map(({ name }) => name.replace(/-[0-9a-f]{10}-/, '-<key>-')).sort()).toEqual([
      'stylist-<key>-d1',
      'stylist-<key>-t1',
    ]);
    const jobs = (await desk.ledger()).filter(
      ({ kind, action }) => kind === 'trainingJob' && action === 'create',
    );
    expect(jobs.map(({ tags }) => tags['anneal:workflow'])).toEqual([
      'fine-tune/stylist',
      'fine-tune/letters',
      'fine-tune/letters',
      'fine-tune/labels',
    ]);
  });

  it('answers what docs/command-line.md says', () => {
    const text = readFileSync(page, 'utf8');
    const [head, tail] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))];
    const current = `${head}${begin}\n\n${table()}\n\n${commands()}\n\n${tail}`;
    if (process.env.UPDATE_DOCS) writeFileSync(page, current);
    const written = readFileSync(page, 'utf8');
    expect(timeless(written), 'write it anew with UPDATE_DOCS=1').toBe(timeless(current));
  });
});

describe('provisioned throughput', () => {
  const model = 'numbers';
  const step = (type: string, input: object) =>
    `temporal workflow execute --task-queue anneal --type ${type} --workflow-id ${type}/${model} -o json --input '${JSON.stringify(input)}'`;

  it('is created, invoked and deleted; the ledger shows the hours billed, and nothing is left', {
    timeout: patienceMs,
  }, async () => {
    const trained = await desk.type(
      step('fineTune', {
        recipe: 'stylist',
        model,
        dataset: { source: { kind: 'builder', records: 400 } },
        validation: { samples: 100 },
        deployment: { target: 'bedrock-provisioned' },
        budgetUsd: 200,
      }),
    );
    expect(resultOf(trained.output)).toMatchObject({ outcome: 'promoted' });
    const [throughput] = (await desk.live()).filter(({ kind }) => kind === 'provisionedThroughput');
    expect(throughput).toMatchObject({ status: 'InService', usdPerHour: expect.any(Number) });
    expect(throughput?.requests).toBeGreaterThanOrEqual(100);

    const request = readFileSync(join(repositoryRoot, 'recipes/stylist/examples/request.json'), 'utf8');
    const answer = await desk.type(step('infer', { recipe: 'stylist', model, request: JSON.parse(request) }));
    expect(resultOf(answer.output)).toMatchObject({ version: 1, response: expect.any(Object) });

    // The CLI prints an empty list as null.
    const gone = await desk.type(step('teardown', { model, version: 1, force: true }));
    expect(resultOf(gone.output)).toMatchObject({ outcome: 'tornDown', billing: null });
    const { output } = await desk.type('./anneal sandbox --ledger');
    const [, hours, cost] =
      /delete +provisionedThroughput +numbers-\S+ +\S+ +(\S+) +\$(\S+)/.exec(output) ?? [];
    expect(Number(hours), output).toBeGreaterThan(0);
    const usdPerHour = throughput?.usdPerHour ?? 0;
    // Hours are shown with two digits after the point.
    expect(Math.abs(Number(cost) - usdPerHour * Number(hours))).toBeLessThan(usdPerHour / 100);
    expect((await desk.live()).filter(({ name }) => name.startsWith(`${model}-`))).toEqual([]);
  });
});

function expectSuccess({ exitCode, output }: { exitCode: number; output: string }): void {
  expect(exitCode, output).toBe(0);
}

/** How the CLI, asked in JSON as a script would, says that a workflow stands. */
async function closing(workflowId: string) {
  const { exitCode, output } = await desk.type(
    `temporal workflow describe -o json --workflow-id ${workflowId}`,
  );
  if (exitCode !== 0) return { status: 'not started', lifeSeconds: 0 };
  const { status, startTime, closeTime } = json(output).workflowExecutionInfo as Record<string, string>;
  const name = status?.replace('WORKFLOW_EXECUTION_STATUS_', '').toLowerCase() ?? '';
  const lifeSeconds = (Date.parse(closeTime ?? '') - Date.parse(startTime ?? '')) / 1000;
  return {
    status: name.charAt(0).toUpperCase() + name.slice(1),
    failureType: name === 'failed' ? await failureTypeOf(workflowId) : undefined,
    lifeSeconds,
  };
}

async function failureTypeOf(workflowId: string): Promise<string | undefined> {
  const { output } = await desk.type(`temporal workflow result -o json --workflow-id ${workflowId}`);
  return /"applicationFailureInfo": \{\s*"type": "(\w+)"/.exec(output)?.[1];
}

function resultOf(output: string): unknown {
  return json(output).result;
}

/** The JSON document in what was printed; the CLI may add a line on standard error. */
function json(output: string): Record<string, unknown> {
  return JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1));
}

function table(): string {
  return [
    '| | What | Exit code | Workflow status | Failure type | Answered after |',
    '|---|---|---|---|---|---|',
    ...rows.map(
      (row, index) =>
        `| [${index + 1}](#${index + 1}) | ${row.title} | ${row.exitCode} | ${row.status} | ${row.failureType ?? '–'} | ${(seconds.get(row) ?? 0).toFixed(1)} s |`,
    ),
  ].join('\n');
}

function commands(): string {
  return rows
    .map(({ title, before, command, says }, index) =>
      [
        `### ${index + 1}`,
        `${title.charAt(0).toUpperCase()}${title.slice(1)}${before ? '. Before:' : ':'}`,
        ...(before ? [fenced('sh', before), 'Then:'] : []),
        fenced('sh', command),
        fenced('', says),
      ].join('\n\n'),
    )
    .join('\n\n');
}

function fenced(language: string, text: string): string {
  return `\`\`\`${language}\n${text}\n\`\`\``;
}

function timeless(text: string): string {
  return text.replaceAll(/\b\d+\.\d s \|/g, '… s |');
}
