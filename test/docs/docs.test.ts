import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { schemaFiles } from '../../scripts/write-schemas.js';
import { hyperparameterRanges } from '../../src/activities/training/local/settings.js';
import { failureTypes } from '../../src/domain/failures.js';
import { outcomes } from '../../src/domain/run-state.js';
import { sweepSpecSchema } from '../../src/domain/sweep.js';
import { workflowTypes } from '../../src/workflows/messages.js';
import { datasetCodes } from './dataset-codes.js';
import { blocks, type Document, documents, firstCells, prose, readDocument, root } from './documents.js';

const all = documents();
const runSpecPage = readDocument('docs/run-spec.md');
const datasetsPage = readDocument('docs/datasets.md');
const lifecyclePage = readDocument('docs/run-a-lifecycle.md');

describe('the pages hold together', () => {
  it('every relative link leads to a file, and to a heading where it names one', () => {
    expect(all.flatMap(brokenLinks)).toEqual([]);
  });

  it('every path of the repository that a page names exists', () => {
    const missing = all.flatMap((document) =>
      [...prose(document).matchAll(/`((?:src|recipes|schemas|scripts|test|prices)\/[\w./*-]+)`/g)]
        .map(([, path = '']) => path.replace(/\/\*.*$/, ''))
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${document.path} names ${path}`),
    );
    expect(missing).toEqual([]);
  });

  it('the index leads to every page', () => {
    const index = readDocument('docs/index.md').text;
    const pages = readdirSync(join(root, 'docs')).filter(
      (name) => name.endsWith('.md') && name !== 'index.md',
    );
    expect(pages.filter((page) => !index.includes(`(${page})`))).toEqual([]);
  });

  it('decisions are numbered without gaps', () => {
    const numbers = readdirSync(join(root, 'docs/decisions'))
      .sort()
      .map((name) => Number(name.slice(0, 4)));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});

describe('the schemas', () => {
  it('are what the zod schemas say; npm run schemas writes them again', () => {
    for (const { path, text } of schemaFiles()) expect(readFileSync(path, 'utf8'), path).toBe(text);
  });

  for (const [info, page] of [
    ['run-spec', 'docs/run-spec.md'],
    ['version-spec', 'docs/run-spec.md'],
    ['infer-spec', 'docs/run-spec.md'],
    ['gate-policy', 'docs/gates.md'],
  ] as const) {
    it(`accept every example of a ${info} in ${page}`, () => {
      const examples = blocks(readDocument(page), `json ${info}`);
      expect(examples.length).toBeGreaterThan(0);
      const schema = z.fromJSONSchema(readSchema(info) as Parameters<typeof z.fromJSONSchema>[0]);
      for (const { line, code } of examples) {
        expect(schema.safeParse(JSON.parse(code)).error, `${page}:${line}`).toBeUndefined();
      }
    });
  }

  it('refuse a field that does not exist', () => {
    const schema = z.fromJSONSchema(readSchema('run-spec') as Parameters<typeof z.fromJSONSchema>[0]);
    expect(schema.safeParse({ recipe: 'stylist', trainig: {} }).success).toBe(false);
  });
});

describe('the reference tables are complete', () => {
  it('docs/train-on-your-own-machine.md has every hyperparameter, and no other', () => {
    const page = readDocument('docs/train-on-your-own-machine.md');
    const names = ['## Hyperparameters', '## How the losses go, and when to stop'].flatMap((heading) =>
      firstCells(page, heading),
    );
    const documented = names.filter((name) => /^[a-z]/.test(name));
    expect(documented.sort()).toEqual(Object.keys(hyperparameterRanges).sort());
  });

  it('docs/run-spec.md has every field of a run spec, and no other', () => {
    const fields = new Set(leafPaths(readSchema('run-spec')));
    const documented = firstCells(runSpecPage, '## Fields').filter((name) => /^[a-z]/.test(name));
    const tables = [
      '### Hyperparameters on Bedrock (Nova)',
      '### `training.settings` on Bedrock',
      '### `training.settings` on `local`',
      '### `deployment.settings`',
    ];
    const names = new Set(tables.flatMap((heading) => firstCells(runSpecPage, heading)));
    const own = documented.filter((name) => !names.has(name));
    const containers = ['conversion', 'dataset.source', 'waiting'];
    expect(own.filter((name) => !containers.includes(name)).sort()).toEqual([...fields].sort());
  });

  it('docs/run-spec.md has every field of version spec and infer spec', () => {
    expect(firstCells(runSpecPage, '## Version spec').sort()).toEqual(topLevel('version-spec'));
    expect(firstCells(runSpecPage, '## Infer spec').sort()).toEqual(topLevel('infer-spec'));
  });

  it('docs/sweep.md has every field of a sweep', () => {
    const fields = firstCells(readDocument('docs/sweep.md'), '## Then: delete');
    expect(fields.sort()).toEqual(Object.keys(sweepSpecSchema.shape).sort());
  });

  it('docs/datasets.md has every code, reason and note that the source can give', () => {
    const codes = datasetCodes();
    expect(codes.problems.length).toBeGreaterThan(20);
    expect(firstCells(datasetsPage, '## Codes').sort()).toEqual(
      [...codes.problems, ...codes.dropped, ...codes.notes].sort(),
    );
  });

  it('docs/run-a-lifecycle.md has every outcome, failure type and workflow type', () => {
    const results = firstCells(lifecyclePage, '## Result');
    expect(results).toEqual(expect.arrayContaining([...outcomes, ...failureTypes]));
    expect(firstCells(lifecyclePage, '## One stage alone').sort()).toEqual([...workflowTypes].sort());
  });

  it('docs/use-real-aws.md has every variable of the configuration', () => {
    const source = readFileSync(join(root, 'src/workers/config.ts'), 'utf8');
    const variables = [...source.matchAll(/^ {4}([A-Z_]+):/gm)].map(([, name = '']) => name);
    expect(variables.length).toBeGreaterThan(10);
    expect(firstCells(readDocument('docs/use-real-aws.md'), '## 5. Configuration').sort()).toEqual(
      variables.sort(),
    );
  });
});

function brokenLinks(document: Document): string[] {
  return [...prose(document).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? join(root, document.path) : join(root, dirname(document.path), path);
    if (!existsSync(file)) return [`${document.path}: ${target}`];
    if (anchor === undefined || anchors(readDocument(relative(root, file))).includes(anchor)) return [];
    return [`${document.path}: ${target} (no such heading)`];
  });
}

/** Headings as GitHub turns them into anchors. */
function anchors(document: Document): string[] {
  return [...prose(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

function readSchema(name: string): Schema {
  return JSON.parse(readFileSync(join(root, `schemas/${name}.schema.json`), 'utf8')) as Schema;
}

function topLevel(name: string): string[] {
  return Object.keys(readSchema(name).properties ?? {}).sort();
}

/** Dotted paths of the fields that hold values. */
function leafPaths(schema: Schema, path = ''): string[] {
  const forms = schema.oneOf ?? schema.anyOf ?? [schema];
  const members = forms.flatMap(({ properties = {} }) => Object.entries(properties));
  if (members.length === 0) return [path];
  return members.flatMap(([name, member]) => leafPaths(member, path === '' ? name : `${path}.${name}`));
}
