import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PermanentFailure } from '../../../domain/failures.js';
import type { ObjectStore } from '../../dataset/object-store.js';
import { hashFile } from '../../hash-file.js';
import type { AdapterManifest } from '../../training/local/artifact.js';

/** Fetches the files of an adapter into `<folder>/adapter`, each checked against the manifest at `manifestUri`. */
export async function downloadAdapter(
  objects: ObjectStore,
  manifestUri: string,
  folder: string,
): Promise<void> {
  const text = await objects.getText(manifestUri);
  if (text === null) throw unusable(manifestUri, 'it is not there');
  const { files } = JSON.parse(text) as AdapterManifest;
  const parent = manifestUri.slice(0, manifestUri.lastIndexOf('/') + 1);
  for (const { path, sha256 } of files.filter((file) => file.path.startsWith('adapter/'))) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    const body = await objects.read(`${parent}${path}`);
    if (body === null) throw unusable(`${parent}${path}`, 'it is not there');
    await pipeline(body, createWriteStream(target, { flush: true }));
    const found = await hashFile(target);
    if (found !== sha256)
      throw unusable(`${parent}${path}`, `it has SHA-256 ${found}, not ${sha256} as in its manifest`);
  }
}

/** The fingerprint of the base model that the adapter in `<folder>/adapter` was trained on. */
export async function readTrainedOn(manifestUri: string, folder: string): Promise<string> {
  const text = await readFile(join(folder, 'adapter', 'base_model.json'), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    },
  );
  if (text !== null) return (JSON.parse(text) as { fingerprint: string }).fingerprint;
  throw new PermanentFailure(
    'ConversionFailed',
    `ConversionFailed: conversion.form: found "adapter", but ${manifestUri} does not say which base model it was trained on (base_model.json), so that it cannot share one. Allowed: "merged".`,
    [{ uri: manifestUri }],
  );
}

function unusable(uri: string, found: string): PermanentFailure {
  return new PermanentFailure(
    'ConversionFailed',
    `ConversionFailed: could not read the adapter ${uri}: ${found}. Train again.`,
    [{ uri }],
  );
}
