import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../../src/client/repository-root.js';
import type { Edit } from './catalogue.js';

/** Everything that a campaign reads. */
const copied = [
  'src',
  'test',
  'scripts',
  'recipes',
  'prices',
  'images',
  'training',
  'schemas',
  'package.json',
  'tsconfig.json',
];
const linked = ['node_modules', '.anneal/bin'];

/** A copy of the clone that may be spoiled: the clone's own files are never touched. */
export class ThrowAwayTree {
  private constructor(readonly path: string) {}

  static create(): ThrowAwayTree {
    const path = mkdtempSync(join(tmpdir(), 'anneal-defects-'));
    for (const each of copied) cpSync(join(repositoryRoot, each), join(path, each), { recursive: true });
    mkdirSync(join(path, '.anneal'));
    for (const each of linked) {
      if (existsSync(join(repositoryRoot, each))) symlinkSync(join(repositoryRoot, each), join(path, each));
    }
    return new ThrowAwayTree(path);
  }

  /** Works with the edits in place, and takes them back afterwards. */
  async edited<T>(edits: readonly Edit[], work: () => Promise<T>): Promise<T> {
    const sound = new Map<string, string>();
    try {
      for (const edit of edits) {
        const path = join(this.path, edit.file);
        const text = readFileSync(path, 'utf8');
        const spoiled = applied(text, edit);
        if (!sound.has(path)) sound.set(path, text);
        writeFileSync(path, spoiled);
      }
      return await work();
    } finally {
      for (const [path, text] of sound) writeFileSync(path, text);
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The text with the edit made; throws unless what it replaces stands there exactly once. */
export function applied(text: string, { file, find, replace }: Edit): string {
  const found = text.split(find).length - 1;
  if (found !== 1) {
    throw new Error(
      `${file}: found ${found} times what a defect replaces, expected once: ${JSON.stringify(find)}. Adapt test/campaigns/defects/catalogue.ts.`,
    );
  }
  return text.replace(find, () => replace);
}
