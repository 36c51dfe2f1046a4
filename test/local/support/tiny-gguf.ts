/** A GGUF file of a few hundred bytes: the format's header, a name, and `padding` bytes that make it another file. */
export function tinyGguf(name: string, padding = 0): Buffer {
  const metadata = [
    ['general.architecture', 'llama'],
    ['general.name', name],
    ['general.description', '.'.repeat(padding)],
  ] as const;
  const header = Buffer.alloc(24);
  header.write('GGUF');
  header.writeUInt32LE(3, 4);
  // No tensors.
  header.writeBigUInt64LE(0n, 8);
  header.writeBigUInt64LE(BigInt(metadata.length), 16);
  return Buffer.concat([header, ...metadata.flatMap(([key, value]) => [text(key), stringType, text(value)])]);
}

/** What `general.name` of a GGUF file says. */
export function nameOf(file: Buffer): string {
  const at = file.indexOf('general.name') + 'general.name'.length + stringType.length;
  if (file.toString('latin1', 0, 4) !== 'GGUF') throw new Error('not a GGUF file');
  return file.toString('utf8', at + 8, at + 8 + Number(file.readBigUInt64LE(at)));
}

const stringType = Buffer.from([8, 0, 0, 0]);

function text(value: string): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(value)));
  return Buffer.concat([length, Buffer.from(value)]);
}
