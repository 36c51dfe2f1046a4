import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { loadRecipes } from '../src/recipes/registry.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const sources = filesBelow(join(root, 'src')).filter((file) => file.endsWith('.ts'));
const imports = sources.flatMap((file) => importsOf(file));

interface Import {
  readonly from: string;
  /** A path below src, or a package's name. */
  readonly to: string;
  readonly isType: boolean;
}

/** For each part of src: what its files may import besides themselves and `domain`. */
const allowed: Record<string, { values: RegExp; types?: RegExp }> = {
  'src/domain/': { values: /^(zod|fastest-levenshtein|simple-statistics)$/ },
  'src/recipes/': { values: /^(node:|zod$|yaml$|fastest-levenshtein$)/ },
  'src/workflows/': {
    values: /^(@temporalio\/workflow|zod)$/,
    types: /^src\/activities\/.*(activities|answer)\.ts$/,
  },
  'src/activities/': {
    values:
      /^(node:|@temporalio\/(activity|client|common)$|@aws-sdk\/|@smithy\/|zod$|kysely$|p-map$|simple-statistics$|tar-stream$|src\/(aws|database)\/|src\/workflows\/messages\.ts$)/,
  },
  'src/aws/': { values: /^(node:|@aws-sdk\/|@smithy\/|zod$)/ },
  'src/database/': { values: /^(node:|kysely$|pg$)/ },
  'src/sandbox/': {
    values: /^(node:|commander$|tar-stream$|zod$)/,
    types: /^@aws-sdk\/client-/,
  },
};

describe('imports point inwards', () => {
  for (const [part, rule] of Object.entries(allowed)) {
    it(`${part} imports only itself, the domain and what its rule names`, () => {
      const crossings = imports.filter(
        ({ from, to, isType }) =>
          from.startsWith(part) &&
          !to.startsWith(part) &&
          !to.startsWith('src/domain/') &&
          !rule.values.test(to) &&
          !(isType && rule.types?.test(to)),
      );
      expect(crossings.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
    });
  }

  it('only workers/dependencies.ts constructs clients', () => {
    const constructors = /new (\w*Client|Pool|Connection)\(|createAwsClients\(|createDatabase\(/;
    const makers = sources
      .filter((file) => constructors.test(readFileSync(file, 'utf8')))
      .map((file) => relative(root, file))
      .filter((file) => !file.startsWith('src/sandbox/'));
    expect(makers.sort()).toEqual([
      'src/aws/clients.ts',
      'src/database/database.ts',
      'src/workers/dependencies.ts',
    ]);
  });

  it('the environment is read in workers/config.ts, the client and the process entry points only', () => {
    const readers = sources
      .filter((file) => /process\.env/.test(readFileSync(file, 'utf8')))
      .map((file) => relative(root, file))
      .filter((file) => !file.startsWith('src/client/'));
    expect(readers.sort()).toEqual(['src/workers/config.ts', 'src/workers/main.ts']);
  });
});

describe('the core stays general', () => {
  it('names no recipe outside src/recipes and the examples of the client', () => {
    const names = [...loadRecipes(join(root, 'recipes')).keys()].filter((name) => name !== 'conversation');
    const quoted = new RegExp(`['"\`](${names.join('|')})['"\`]`);
    const offenders = sources
      .map((file) => relative(root, file))
      .filter((file) => !/^src\/(recipes|client)\//.test(file))
      .filter((file) => quoted.test(withoutComments(readFileSync(join(root, file), 'utf8'))));
    expect(offenders).toEqual([]);
  });

  it('names no vendor in domain and workflows', () => {
    const offenders = sources
      .map((file) => relative(root, file))
      .filter((file) => /^src\/(domain|workflows)\//.test(file))
      .filter((file) =>
        /['"`](bedrock|sagemaker|ollama|nova)[-'"`]/i.test(
          withoutComments(readFileSync(join(root, file), 'utf8')),
        ),
      )
      // A file format is named after its inventor.
      .filter((file) => !/^src\/domain\/dataset/.test(file));
    expect(offenders).toEqual([]);
  });
});

describe('the code stays readable', () => {
  it('no file below src has more than 400 lines', () => {
    const long = sources
      .map((file) => ({
        file: relative(root, file),
        lines: readFileSync(file, 'utf8').split('\n').length - 1,
      }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
  });

  it('no function below src has more than 60 lines', () => {
    expect(sources.flatMap(longFunctions)).toEqual([]);
  });
});

describe('the ten-file trace of ARCHITECTURE.md', () => {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  const trace = text.slice(
    text.indexOf('## One run in ten files'),
    text.indexOf('## How money is kept safe'),
  );

  it('has ten steps, and every file it names exists', () => {
    expect(trace.match(/^\d+\. /gm)).toHaveLength(10);
    const missing = [...trace.matchAll(/`(src\/[\w./-]+)`/g)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });

  it('names symbols that stand in the file they are named with', () => {
    for (const step of trace.split(/^\d+\. /m).slice(1)) {
      const paths = [...step.matchAll(/`(src\/[\w./-]+)`/g)].map(([, path = '']) => path);
      const code = paths.map((path) => readFileSync(join(root, path), 'utf8')).join('\n');
      const symbols = [...step.matchAll(/`([A-Za-z]\w+)`/g)].map(([, symbol = '']) => symbol);
      expect(symbols.length, step).toBeGreaterThan(0);
      for (const symbol of symbols.filter((name) => name !== 'champion'))
        expect(code, step).toMatch(new RegExp(`\\b${symbol}\\b`));
    }
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) return [];
    const isType = ts.isImportDeclaration(statement)
      ? isTypeOnly(statement.importClause)
      : statement.isTypeOnly;
    const { text } = moduleSpecifier;
    const to = text.startsWith('.')
      ? relative(root, resolve(dirname(file), text)).replace(/\.js$/, '.ts')
      : text;
    return [{ from: relative(root, file), to, isType }];
  });
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.isTypeOnly) return true;
  const bindings = clause.namedBindings;
  return (
    !clause.name &&
    !!bindings &&
    ts.isNamedImports(bindings) &&
    bindings.elements.every((element) => element.isTypeOnly)
  );
}

function longFunctions(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const long: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const start = source.getLineAndCharacterOfPosition(node.getStart()).line;
      const lines = source.getLineAndCharacterOfPosition(node.end).line - start + 1;
      // A factory's body is a list of functions, each counted by itself.
      const isFactory = 'name' in node && node.name && /^create|^start/.test(node.name.getText());
      if (lines > 60 && !isFactory) long.push(`${relative(root, file)}:${start + 1} (${lines} lines)`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return long;
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}
