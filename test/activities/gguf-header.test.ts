import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readChatFormat } from '../../src/activities/deployment/gguf/gguf-header.js';
import { chatGguf, tinyGguf } from '../local/support/tiny-gguf.js';
import { MemoryObjectStore } from '../support/memory-object-store.js';

const uri = 's3://bucket/models/tiny.gguf';

async function read(file: Buffer | null) {
  const store = new MemoryObjectStore();
  if (file) await store.put(uri, file);
  return readChatFormat(store, uri);
}

describe('the header of a GGUF file', () => {
  it('says how the model is spoken to', async () => {
    expect(await read(chatGguf('tiny'))).toEqual({
      template: expect.stringContaining('{% for m in messages %}'),
      beginText: '<|end|>',
      endText: '<|end|>',
      addsBegin: false,
      controlTexts: ['<|end|>'],
    });
  });

  it('says who puts the begin token before a prompt; tokenizers of the first Llama do it unasked', async () => {
    expect(await read(chatGguf('tiny', { 'tokenizer.ggml.add_bos_token': true }))).toMatchObject({
      addsBegin: true,
    });
    expect(await read(chatGguf('tiny', { 'tokenizer.ggml.model': 'llama' }))).toMatchObject({
      addsBegin: true,
    });
    const told = { 'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.add_bos_token': false };
    expect(await read(chatGguf('tiny', told))).toMatchObject({ addsBegin: false });
  });

  it('is read without the weights behind it', async () => {
    let sent = 0;
    const head = chatGguf('tiny');
    const weights = Buffer.alloc(100_000);
    const body = Readable.from(
      (function* () {
        yield head;
        for (let number = 0; number < 1000; number += 1) {
          sent += weights.length;
          yield weights;
        }
      })(),
    );
    const store = new MemoryObjectStore();
    store.read = async () => body;
    await readChatFormat(store, uri);
    expect(sent).toBeLessThan(5_000_000);
  });

  it.each([
    ['is not there', null, /it is not there/],
    ['is something else', Buffer.from('PK it is a zip file, and long enough'), /it is no GGUF file/],
    ['carries no chat template', tinyGguf('tiny'), /it carries no chat template/],
    ['is cut off', chatGguf('tiny').subarray(0, 200), /its header does not end within 200 bytes/],
  ])('of a file that %s is refused with the remedy', async (_what, file, message) => {
    await expect(read(file)).rejects.toMatchObject({
      type: 'ProviderRejected',
      message: expect.stringMatching(message),
    });
    await expect(read(file)).rejects.toThrow(/Convert the model again/);
  });
});
