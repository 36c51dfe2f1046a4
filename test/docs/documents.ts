import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

export interface Document {
  /** Relative to the repository. */
  readonly path: string;
  readonly text: string;
}

/** README.md, ARCHITECTURE.md and every page below docs. */
export function documents(): Document[] {
  const pages = readdirSync(join(root, 'docs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  return ['README.md', 'ARCHITECTURE.md', ...pages.sort()].map(readDocument);
}

export function readDocument(path: string): Document {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}

/** The contents of every fenced block with exactly this info string, and the lines they begin on. */
export function blocks({ text }: Document, info: string): { line: number; code: string }[] {
  const found: { line: number; code: string }[] = [];
  let open: { line: number; info: string; lines: string[] } | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^ *```(.*)$/.exec(line);
    if (open === null && fence) open = { line: index + 2, info: (fence[1] ?? '').trim(), lines: [] };
    else if (open !== null && fence) {
      if (open.info === info) found.push({ line: open.line, code: `${open.lines.join('\n')}\n` });
      open = null;
    } else open?.lines.push(line);
  }
  return found;
}

/** The text without fenced blocks. */
export function prose({ text }: Document): string {
  return text.replace(/^ *```[\s\S]*?^ *```$/gm, '');
}

/** The words in backticks that begin the rows of the tables below a heading. */
export function firstCells(document: Document, heading: string): string[] {
  const start = document.text.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`${document.path} has no heading "${heading}"`);
  const level = /^#+/.exec(heading)?.[0].length ?? 1;
  const rest = document.text.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  const section = end < 0 ? rest : rest.slice(0, end);
  return [...section.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word),
  );
}
