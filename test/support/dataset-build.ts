import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuildDatasetInput, buildDataset } from '../../src/activities/dataset/build-dataset.js';
import { createSourceDatabases } from '../../src/database/source-rows.js';
import type { DatasetManifest, DatasetRecord } from '../../src/domain/dataset.js';
import { PermanentFailure } from '../../src/domain/failures.js';
import { exampleRecipe } from './example-recipe.js';
import { MemoryObjectStore } from './memory-object-store.js';

/** A place to build datasets in: a folder for sources, scratch space, and an object store. */
export class DatasetWorkshop {
  readonly objects = new MemoryObjectStore();
  readonly folder = mkdtempSync(join(tmpdir(), 'anneal-dataset-'));
  readonly temporaryDirectory = join(this.folder, 'scratch');

  /** Databases for sources, by the environment variable that a worker would have. */
  constructor(private readonly databaseUrls: Readonly<Record<string, string>> = {}) {}

  write(name: string, contents: string | Uint8Array): string {
    writeFileSync(join(this.folder, name), contents);
    return name;
  }

  build(
    input: Partial<BuildDatasetInput> & Pick<BuildDatasetInput, 'source'>,
    watch: { progress?: (text: string, done: number) => void; signal?: AbortSignal } = {},
  ): Promise<DatasetManifest> {
    return buildDataset(
      {
        recipe: exampleRecipe(),
        validationShare: 0,
        destination: 's3://anneal/datasets',
        format: 'bedrock-conversation-2024',
        ...input,
      },
      {
        objects: this.objects,
        databases: createSourceDatabases(this.databaseUrls),
        workingDirectory: this.folder,
        temporaryDirectory: this.temporaryDirectory,
        ...watch,
      },
    );
  }

  buildFile(contents: string | Uint8Array, input: Partial<BuildDatasetInput> = {}): Promise<DatasetManifest> {
    return this.build({ source: { kind: 'file', path: this.write('rows.jsonl', contents) }, ...input });
  }

  text(uri: string): string {
    const body = this.objects.objects.get(uri);
    if (body === undefined) throw new Error(`nothing is stored at ${uri}`);
    return body.toString('utf8');
  }

  heldOut(manifest: DatasetManifest): DatasetRecord[] {
    return manifest.heldOut === null ? [] : jsonLines<DatasetRecord>(this.text(manifest.heldOut.uri));
  }

  scratchFiles(): string[] {
    return readdirSync(this.temporaryDirectory);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** The permanent failure that something ended with; any other ending fails the test. */
export async function failureOf(ending: Promise<unknown>): Promise<PermanentFailure> {
  try {
    await ending;
  } catch (error) {
    if (error instanceof PermanentFailure) return error;
    throw error;
  }
  throw new Error('it succeeded');
}

export function jsonLines<Row>(text: string): Row[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** A row of the example recipe. */
export function exampleRow(number: number, more: object = {}): string {
  return JSON.stringify({
    id: `row-${number}`,
    question: `Question ${number}?`,
    answer: `${number}`,
    ...more,
  });
}

export function exampleRows(count: number, from = 0): string {
  return Array.from({ length: count }, (_, index) => `${exampleRow(from + index)}\n`).join('');
}

/** A row that is a conversation already. */
export function conversationRow(number: number): string {
  const content = (text: string) => [{ text }];
  return JSON.stringify({
    schemaVersion: 'bedrock-conversation-2024',
    system: content('Answer.'),
    messages: [
      { role: 'user', content: content(`Question ${number}?`) },
      { role: 'assistant', content: content(`Answer ${number}`) },
    ],
  });
}
