import { randomUUID } from 'node:crypto';
import { createReadStream, type Dirent } from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { ObjectStore } from './object-store.js';

/**
 * Objects as files below a folder, one folder a bucket: for commands that build a dataset only to look at
 * it, and for machines without object storage.
 */
export function createFolderObjectStore(root: string, bucket: string): ObjectStore {
  const pathOf = (uri: string) => join(root, ...uri.replace(/^s3:\/\//, '').split('/'));

  /** Writes beside its place, then moves there with `place`, so that no reader sees half of it. */
  const write = async <T>(
    uri: string,
    draw: (draft: string) => Promise<void>,
    place: (draft: string, path: string) => Promise<T>,
  ) => {
    const path = pathOf(uri);
    const draft = `${path}.${randomUUID()}.draft`;
    await mkdir(dirname(path), { recursive: true });
    try {
      await draw(draft);
      return await place(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
  };

  return {
    bucket,
    async ensureBucket() {
      await mkdir(join(root, bucket), { recursive: true });
    },
    async put(uri, body) {
      await write(uri, (draft) => writeFile(draft, body), rename);
    },
    async putIfAbsent(uri, body) {
      return write(uri, (draft) => writeFile(draft, body), linkUnlessThere);
    },
    async putFile(uri, path) {
      await write(uri, (draft) => copyFile(path, draft), rename);
    },
    async getText(uri) {
      return absentAsNull(readFile(pathOf(uri), 'utf8'));
    },
    async read(uri) {
      return (await sizeOf(pathOf(uri))) === null ? null : createReadStream(pathOf(uri));
    },
    async head(uri) {
      const bytes = await sizeOf(pathOf(uri));
      return bytes === null ? null : { bytes };
    },
    async list(prefixUri) {
      const [name = ''] = prefixUri.replace(/^s3:\/\//, '').split('/');
      const entries = await absentAsNull(readdir(join(root, name), { recursive: true, withFileTypes: true }));
      return (entries ?? [])
        .filter((entry) => entry.isFile() && !entry.name.endsWith('.draft'))
        .map((entry) => uriOf(root, entry))
        .filter((uri) => uri.startsWith(prefixUri))
        .sort();
    },
    async delete(uri) {
      await rm(pathOf(uri), { force: true });
    },
  };
}

async function linkUnlessThere(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  const found = await absentAsNull(stat(path));
  return found?.isFile() ? found.size : null;
}

async function absentAsNull<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return null;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function uriOf(root: string, entry: Dirent): string {
  return `s3://${relative(root, join(entry.parentPath, entry.name)).split(sep).join('/')}`;
}
