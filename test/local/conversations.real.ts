import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';
import { python, realBaseModel, requireSetup } from './programs.js';

const program = `
import json, sys
from transformers import AutoTokenizer
from anneal_training.conversations import IGNORED_LABEL, read_examples
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
for example in read_examples(sys.argv[2], tokenizer, 500):
    learned = [label for label in example.labels if label != IGNORED_LABEL]
    print(json.dumps({"text": tokenizer.decode(example.tokens), "learned": tokenizer.decode(learned)}))
`;

let folder: string;

beforeAll(() => {
  requireSetup();
  folder = mkdtempSync(join(tmpdir(), 'anneal-conversations-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("learns the assistant's answers with their end, in the model's own template, and nothing else", () => {
  const turn = (role: string, text: string) => ({ role, content: [{ text }] });
  const path = join(folder, 'data.jsonl');
  const record = {
    schemaVersion: 'bedrock-conversation-2024',
    system: [{ text: 'Be brief.' }],
    messages: [
      turn('user', 'Häll?'),
      turn('assistant', 'Yes.'),
      turn('user', 'Why?'),
      turn('assistant', '42'),
    ],
  };
  writeFileSync(path, `${JSON.stringify(record)}\n`);
  const { stdout, stderr } = spawnSync(python, ['-c', program, realBaseModel, path], {
    cwd: join(repositoryRoot, 'training'),
    encoding: 'utf8',
  });
  expect(stdout, stderr).not.toBe('');
  expect(JSON.parse(stdout)).toEqual({
    text:
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHäll?<|im_end|>\n<|im_start|>assistant\nYes.' +
      '<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n42<|im_end|>\n',
    learned: 'Yes.<|im_end|>42<|im_end|>',
  });
});
