import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';

/** Null when there is no such file. */
export async function readRecord<T>(path: string): Promise<T | null> {
  const text = await readFile(path, 'utf8').catch(ifAbsent(null));
  return text === null ? null : (JSON.parse(text) as T);
}

/** Readers see the old file or the new one. */
export async function writeRecord(path: string, record: unknown): Promise<void> {
  const beside = `${path}.${randomUUID()}`;
  await writeFile(beside, JSON.stringify(record), { flush: true });
  await rename(beside, path);
}

/** What lies in a folder; nothing where there is no such folder. */
export function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(ifAbsent<string[]>([]));
}

/** For `catch`: `value` where a file or folder is not there; throws any other error on. */
export function ifAbsent<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return value;
    throw error;
  };
}
