type Value = string | number | boolean | readonly string[] | readonly number[];

/** A GGUF file of a few hundred bytes: the format's header, a name, and `padding` bytes that make it another file. */
export function tinyGguf(name: string, padding = 0): Buffer {
  return ggufFile({
    'general.architecture': 'llama',
    'general.name': name,
    'general.description': '.'.repeat(padding),
  });
}

/** One with a chat template, three tokens, the last of which is a control token, and no weights. */
export function chatGguf(name: string, more: Readonly<Record<string, Value>> = {}): Buffer {
  return ggufFile({
    'general.architecture': 'llama',
    'general.name': name,
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.tokens': ['a', 'ü', '<|end|>'],
    'tokenizer.ggml.token_type': [1, 1, 3],
    'tokenizer.ggml.bos_token_id': 2,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.chat_template':
      '{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}<assistant>',
    ...more,
  });
}

/** A file without tensors, of version 3. Numbers are written as unsigned, lists of them as signed 32 bits. */
export function ggufFile(metadata: Readonly<Record<string, Value>>): Buffer {
  const entries = Object.entries(metadata);
  const header = Buffer.alloc(24);
  header.write('GGUF');
  header.writeUInt32LE(3, 4);
  header.writeBigUInt64LE(BigInt(entries.length), 16);
  return Buffer.concat([header, ...entries.flatMap(([key, value]) => [text(key), ...typed(value)])]);
}

/** What `general.name` of a GGUF file says. */
export function nameOf(file: Buffer): string {
  const at = file.indexOf('general.name') + 'general.name'.length + 4;
  if (file.toString('latin1', 0, 4) !== 'GGUF') throw new Error('not a GGUF file');
  return file.toString('utf8', at + 8, at + 8 + Number(file.readBigUInt64LE(at)));
}

const types = { uint32: 4, int32: 5, bool: 7, string: 8, array: 9 };

function typed(value: Value): Buffer[] {
  if (typeof value === 'string') return [uint32(types.string), text(value)];
  if (typeof value === 'boolean') return [uint32(types.bool), Buffer.from([Number(value)])];
  if (typeof value === 'number') return [uint32(types.uint32), uint32(value)];
  const isText = typeof value[0] === 'string';
  const items = value.map((item) => (typeof item === 'string' ? text(item) : uint32(item)));
  return [uint32(types.array), uint32(isText ? types.string : types.int32), uint64(value.length), ...items];
}

function text(value: string): Buffer {
  return Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
