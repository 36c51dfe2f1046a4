import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './documents.js';

export interface DatasetCodes {
  /** Refuse the dataset. */
  readonly problems: string[];
  /** Rows that are left out. */
  readonly dropped: string[];
  readonly notes: string[];
}

const folders = ['src/domain/dataset', 'src/activities/dataset', 'src/recipes'];

/** Every code that the source can give to a row, read from its syntax. */
export function datasetCodes(): DatasetCodes {
  const problems = new Set<string>();
  const dropped = new Set<string>();
  const notes = new Set<string>();
  const add = (to: Set<string>, expression: ts.Expression | undefined) => {
    for (const text of literals(expression)) to.add(text);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'code') add(problems, node.initializer);
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'leftOut') add(dropped, node.initializer);
    if (ts.isNewExpression(node) && node.expression.getText() === 'RowFault') {
      add(problems, node.arguments?.[0]);
    }
    if (ts.isCallExpression(node)) {
      const called = node.expression.getText();
      if (called === 'this.report') add(problems, node.arguments[0]);
      if (called === 'this.ledger.drop') add(dropped, node.arguments[0]);
      if (called === 'this.ledger.note') add(notes, node.arguments[0]);
    }
    ts.forEachChild(node, visit);
  };
  for (const file of folders.flatMap(typeScriptBelow)) {
    visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));
  }
  return { problems: [...problems].sort(), dropped: [...dropped].sort(), notes: [...notes].sort() };
}

/** The strings that an expression may come to. */
function literals(expression: ts.Expression | undefined): string[] {
  if (expression === undefined) return [];
  if (ts.isStringLiteral(expression)) return [expression.text];
  if (ts.isConditionalExpression(expression)) {
    return [...literals(expression.whenTrue), ...literals(expression.whenFalse)];
  }
  return [];
}

function typeScriptBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}
