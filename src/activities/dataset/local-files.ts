import { createReadStream, type Stats } from 'node:fs';
import { access, constants, readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { PermanentFailure } from '../../domain/failures.js';
import { inNameOrder, layoutOf, type SourceFile } from './source-file.js';

/** Opens one file on the worker's disk. */
export async function openLocalFile(path: string, workingDirectory: string): Promise<SourceFile> {
  const place = resolve(workingDirectory, path);
  const found = await statOf(path, place);
  if (found.isDirectory()) {
    throw unusable(path, 'is a directory', 'For all files below it, write "kind": "folder".');
  }
  if (!found.isFile()) throw unusable(path, 'is not a regular file', 'Give a .jsonl or .json file.');
  if (found.size === 0) throw unusable(path, 'is an empty file', 'Give a file with one JSON object a line.');
  await assertReadable(path, place);
  return toSourceFile(path, basename(place), place);
}

/** Opens every `.json` and `.jsonl` file below a folder, in order of path; empty ones have no rows. */
export async function openLocalFolder(path: string, workingDirectory: string): Promise<SourceFile[]> {
  const root = resolve(workingDirectory, path);
  const found = await statOf(path, root);
  if (!found.isDirectory()) {
    throw unusable(path, 'is not a directory', 'For a single file, write "kind": "file".');
  }
  const files: SourceFile[] = [];
  for (const entry of await entriesBelow(path, root)) {
    const place = join(entry.parentPath, entry.name);
    const label = relative(root, place).split(sep).join('/');
    if (layoutOf(label) === null) continue;
    const name = `${path.replace(/\/+$/, '')}/${label}`;
    if (!(await statOf(name, place)).isFile()) continue;
    await assertReadable(name, place);
    files.push(toSourceFile(name, label, place));
  }
  if (files.length === 0) {
    throw unusable(path, 'holds no .json or .jsonl file', 'Give the folder that holds the data.');
  }
  return files.sort((one, other) => inNameOrder(one.label, other.label));
}

function toSourceFile(name: string, label: string, place: string): SourceFile {
  return {
    name,
    label,
    layout: layoutOf(label) ?? 'lines',
    open: () => createReadStream(place, { highWaterMark: 256 * 1024 }),
  };
}

async function statOf(path: string, place: string): Promise<Stats> {
  try {
    return await stat(place);
  } catch (error) {
    throw toInvalidInput(error, path, place);
  }
}

async function assertReadable(path: string, place: string): Promise<void> {
  try {
    await access(place, constants.R_OK);
  } catch (error) {
    throw toInvalidInput(error, path, place);
  }
}

async function entriesBelow(path: string, root: string) {
  try {
    return await readdir(root, { recursive: true, withFileTypes: true });
  } catch (error) {
    throw toInvalidInput(error, path, root);
  }
}

function toInvalidInput(error: unknown, path: string, place: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return unusable(
        path,
        `does not exist (looked for ${place})`,
        'Relative paths start where the worker does.',
      );
    case 'EACCES':
    case 'EPERM':
      return unusable(
        path,
        'may not be read by the worker',
        `Grant it, for instance with: chmod -R a+rX ${path}`,
      );
    case 'ELOOP':
    case 'ENAMETOOLONG':
    case 'ERR_INVALID_ARG_VALUE':
      return unusable(path, `is no usable path (${code})`, 'Give the path of an existing file.');
    default:
      return error;
  }
}

function unusable(path: string, found: string, remedy: string): PermanentFailure {
  return new PermanentFailure(
    'InvalidInput',
    `dataset.source.path ${JSON.stringify(path)} ${found}. ${remedy}`,
  );
}
