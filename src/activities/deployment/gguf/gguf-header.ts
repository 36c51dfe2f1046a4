import { PermanentFailure } from '../../../domain/failures.js';
import type { ObjectStore } from '../../dataset/object-store.js';

/** How a model is spoken to, as its GGUF file says. */
export interface ChatFormat {
  /** The Jinja template that turned conversations into text for training. */
  readonly template: string;
  /** Texts of the tokens that begin and end a text; empty where there are none. */
  readonly beginText: string;
  readonly endText: string;
  /** Whether the server puts the begin token before every prompt by itself. */
  readonly addsBegin: boolean;
  /** Texts that the tokenizer takes for control tokens, wherever they stand. */
  readonly controlTexts: readonly string[];
}

type Value = string | number | boolean | bigint | readonly Value[];

/** A vocabulary of 250,000 tokens takes about 6 MB. */
const headerLimitBytes = 64e6;

/**
 * Reads the beginning of a GGUF file in the object store. Throws `PermanentFailure('ProviderRejected')` where it is
 * none, or carries no chat template.
 */
export async function readChatFormat(objects: ObjectStore, modelId: string): Promise<ChatFormat> {
  const metadata = await readMetadata(objects, modelId);
  const template = metadata.get('tokenizer.chat_template');
  if (typeof template !== 'string') {
    throw refused(modelId, 'it carries no chat template. Convert the model again');
  }
  const tokens = listOf(metadata.get('tokenizer.ggml.tokens'));
  const types = listOf(metadata.get('tokenizer.ggml.token_type'));
  const textOf = (key: string) => String(tokens[Number(metadata.get(`tokenizer.ggml.${key}`) ?? -1)] ?? '');
  return {
    template,
    beginText: textOf('bos_token_id'),
    endText: textOf('eos_token_id'),
    addsBegin:
      (metadata.get('tokenizer.ggml.add_bos_token') ?? metadata.get('tokenizer.ggml.model') === 'llama') ===
      true,
    controlTexts: tokens.filter((_, index) => types[index] === controlType).map(String),
  };
}

/** `LLAMA_TOKEN_TYPE_CONTROL` of llama.cpp. */
const controlType = 3;

async function readMetadata(objects: ObjectStore, modelId: string): Promise<ReadonlyMap<string, Value>> {
  const body = await objects.read(modelId);
  if (body === null) throw refused(modelId, 'it is not there. Convert the model again');
  let head = Buffer.alloc(0);
  let nextTry = 64e3;
  try {
    for await (const chunk of body) {
      head = Buffer.concat([head, chunk as Buffer]);
      if (head.length < nextTry) continue;
      const metadata = tryParse(head, modelId);
      if (metadata) return metadata;
      if (head.length > headerLimitBytes) break;
      nextTry = 2 * head.length;
    }
  } finally {
    body.destroy();
  }
  const metadata = tryParse(head, modelId);
  if (metadata) return metadata;
  throw refused(modelId, `its header does not end within ${head.length} bytes. Convert the model again`);
}

/** Null where there are more bytes to come. */
function tryParse(head: Buffer, modelId: string): ReadonlyMap<string, Value> | null {
  if (head.length >= 4 && head.toString('latin1', 0, 4) !== 'GGUF') {
    throw refused(modelId, 'it is no GGUF file. Convert the model again');
  }
  try {
    return parseMetadata(head);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; version 2 or 3, little-endian. */
function parseMetadata(head: Buffer): ReadonlyMap<string, Value> {
  const cursor = { at: 16 };
  const take = (bytes: number) => {
    const start = cursor.at;
    cursor.at += bytes;
    // Reads of `Buffer` beyond its end throw; slices do not.
    if (cursor.at > head.length) throw new RangeError('more bytes to come');
    return start;
  };
  const readLength = () => Number(head.readBigUInt64LE(take(8)));
  const readText = () => {
    const length = readLength();
    const start = take(length);
    return head.toString('utf8', start, start + length);
  };
  const readers: readonly (() => Value)[] = [
    () => head.readUInt8(take(1)),
    () => head.readInt8(take(1)),
    () => head.readUInt16LE(take(2)),
    () => head.readInt16LE(take(2)),
    () => head.readUInt32LE(take(4)),
    () => head.readInt32LE(take(4)),
    () => head.readFloatLE(take(4)),
    () => head.readUInt8(take(1)) !== 0,
    readText,
    () => {
      const type = head.readUInt32LE(take(4));
      return Array.from({ length: readLength() }, () => readValue(type));
    },
    () => head.readBigUInt64LE(take(8)),
    () => head.readBigInt64LE(take(8)),
    () => head.readDoubleLE(take(8)),
  ];
  const readValue = (type: number): Value => {
    const read = readers[type];
    if (!read) throw new Error(`GGUF: found a value of type ${type}; allowed: 0 to ${readers.length - 1}`);
    return read();
  };
  return new Map(
    Array.from({ length: readLength() }, () => [readText(), readValue(head.readUInt32LE(take(4)))]),
  );
}

function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? value : [];
}

function refused(modelId: string, reason: string): PermanentFailure {
  return new PermanentFailure(
    'ProviderRejected',
    `ProviderRejected: could not serve ${modelId}: ${reason}.`,
    [{ modelId }],
  );
}
