import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { ObjectStore } from '../../dataset/object-store.js';

const packageFolder = 'anneal_training';

/**
 * Packs the training programs and stores them under their hash; returns the archive's folder, to be the channel `code`.
 * The same programs give the same archive everywhere, which is stored once.
 */
export async function storeCode(
  objects: ObjectStore,
  trainingDirectory: string,
): Promise<{ readonly folderUri: string; readonly sha256: string }> {
  const archive = await packCode(trainingDirectory);
  const sha256 = createHash('sha256').update(archive).digest('hex');
  const folderUri = `s3://${objects.bucket}/code/${sha256}/`;
  const uri = `${folderUri}${archiveName}`;
  if ((await objects.head(uri)) === null)
    await objects.putIfAbsent(uri, gzipSync(archive), 'application/gzip');
  return { folderUri, sha256 };
}

export const archiveName = 'sourcedir.tar.gz';

/** Python files alone, in order of name, without anything of the machine that packs them. */
async function packCode(trainingDirectory: string): Promise<Buffer> {
  const names = (await readdir(join(trainingDirectory, packageFolder)))
    .filter((name) => name.endsWith('.py'))
    .sort();
  const archive = pack();
  const packed = buffer(archive);
  for (const name of names) {
    const content = await readFile(join(trainingDirectory, packageFolder, name));
    archive.entry({ name: `${packageFolder}/${name}`, mode: 0o644, mtime: new Date(0) }, content);
  }
  archive.finalize();
  return packed;
}
