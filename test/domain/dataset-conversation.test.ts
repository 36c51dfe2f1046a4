import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isConversationRow,
  readConversation,
  renderConversation,
} from '../../src/domain/dataset/conversation-format.js';
import { checkConversation } from '../../src/domain/dataset/conversation-rules.js';
import { excerpt, formatProblem } from '../../src/domain/dataset/problem.js';
import { findReservedTokens } from '../../src/domain/dataset/reserved-tokens.js';
import { type GroupSize, groupForValidation, splitOf } from '../../src/domain/dataset/split.js';
import type { Turn } from '../../src/domain/dataset.js';
import type { JsonObject } from '../../src/domain/json.js';

const turns: Turn[] = [
  { role: 'user', text: 'Which coat?' },
  { role: 'assistant', text: 'The long one.' },
];

function problemsOf(row: JsonObject) {
  const reading = readConversation(row);
  return 'problems' in reading ? reading.problems : [];
}

function codesOf(row: JsonObject): string[] {
  return problemsOf(row).map((problem) => problem.code);
}

function message(role: string, content: JsonObject[string]): JsonObject {
  return { role, content };
}

const block = [{ text: 'Hello' }];

describe('the conversation format', () => {
  it('puts schemaVersion first and leaves an absent system out', () => {
    expect(renderConversation({ system: null, turns })).toBe(
      '{"schemaVersion":"bedrock-conversation-2024","messages":[{"role":"user","content":[{"text":"Which coat?"}]},{"role":"assistant","content":[{"text":"The long one."}]}]}',
    );
  });

  it('reads back exactly what it rendered, whatever the texts', () => {
    const text = fc.string({ unit: 'binary' });
    const turn = fc.record({ role: fc.constantFrom('user' as const, 'assistant' as const), text });
    fc.assert(
      fc.property(fc.option(text), fc.array(turn), (system, spoken) => {
        const line = renderConversation({ system, turns: spoken });
        expect(line).not.toContain('\n');
        const reading = readConversation(JSON.parse(line));
        expect(reading).toEqual({ system, turns: spoken, joinedTexts: 0 });
      }),
    );
  });

  it("accepts the shape of AWS's prepared files, which have no schemaVersion", () => {
    const row = { system: block, messages: [message('user', block), message('assistant', block)] };
    expect(readConversation(row)).toMatchObject({ system: 'Hello', joinedTexts: 0 });
  });

  it("refuses AWS's raw shape once a row and shows the row as it should be", () => {
    const row = {
      system: 'You are a bot.',
      messages: [message('user', 'List the files'), message('assistant', 'ls')],
    };
    expect(problemsOf(row)).toEqual([
      {
        code: 'ContentNotArray',
        message: 'plain text instead of a list of blocks in system, messages[0].content, messages[1].content',
        remedy:
          'Write the row as {"schemaVersion":"bedrock-conversation-2024","system":[{"text":"You are a bot."}],"messages":[{"role":"user","content":[{"text":"List the files"}]},{"role":"assistant","content":[{"text":"ls"}]}]}',
      },
    ]);
  });

  it('joins the texts of several blocks and counts that it did', () => {
    const reading = readConversation({
      messages: [message('user', [{ text: 'one' }, { text: 'two' }]), message('assistant', block)],
    });
    expect(reading).toMatchObject({ joinedTexts: 1, turns: [{ text: 'one\ntwo' }, { text: 'Hello' }] });
  });

  it.each<[string, JsonObject, string]>([
    ['no messages', { schemaVersion: 'bedrock-conversation-2024' }, 'MissingMember'],
    ['messages that are no list', { messages: 'Hello' }, 'WrongType'],
    ['a message that is no object', { messages: ['Hello'] }, 'WrongType'],
    ['a message without a role', { messages: [{ content: block }] }, 'MissingMember'],
    ['an unknown role', { messages: [message('bot', block)] }, 'UnknownRole'],
    ['a system message', { messages: [message('system', block)] }, 'UnknownRole'],
    ['a message without content', { messages: [{ role: 'user' }] }, 'MissingMember'],
    ['content that is an object', { messages: [message('user', { text: 'Hello' })] }, 'WrongType'],
    ['a block that is a string', { messages: [message('user', ['Hello'])] }, 'ContentNotArray'],
    ['a block without text', { messages: [message('user', [{}])] }, 'MissingMember'],
    ['a text that is a number', { messages: [message('user', [{ text: 5 }])] }, 'WrongType'],
    ['an image', { messages: [message('user', [{ image: {} }])] }, 'UnsupportedContent'],
    ['an unknown member', { messages: [message('user', block)], weight: 1 }, 'UnknownMember'],
    [
      'an unknown member of a message',
      { messages: [{ role: 'user', content: block, name: 'x' }] },
      'UnknownMember',
    ],
    ['a schemaVersion that is no string', { schemaVersion: 2024, messages: [] }, 'WrongType'],
  ])('refuses %s', (_, row, code) => {
    expect(codesOf(row)).toEqual([code]);
  });

  it('leaves rows of other shapes to the recipe', () => {
    expect(isConversationRow({ document: 'A shop sells…' })).toBe(false);
    expect(isConversationRow({ messages: null })).toBe(true);
  });
});

describe('the rules for a conversation', () => {
  const codes = (system: string | null, ...spoken: Turn[]) =>
    checkConversation({ system, turns: spoken }).problems.map((problem) => problem.code);
  const user = (text = 'Hello') => ({ role: 'user', text }) as const;
  const assistant = (text = 'Good day') => ({ role: 'assistant', text }) as const;

  it('wants the user first, turns taken, and the assistant last', () => {
    expect(codes(null, user(), assistant(), user(), assistant())).toEqual([]);
    expect(codes(null)).toEqual(['RoleOrder']);
    expect(codes(null, assistant())).toEqual(['RoleOrder']);
    expect(codes(null, user(), user(), assistant())).toEqual(['RoleOrder']);
    expect(codes(null, user(), assistant(), user())).toEqual(['RoleOrder']);
  });

  it('refuses empty texts, NUL characters and halves of characters', () => {
    expect(codes(' \n', user(), assistant())).toEqual(['EmptyText']);
    expect(codes(null, user(''), assistant())).toEqual(['EmptyText']);
    expect(codes(null, user('a\0b'), assistant())).toEqual(['NulCharacter']);
    expect(codes(null, user('a\ud83d'), assistant())).toEqual(['LoneSurrogate']);
    expect(codes(null, user('a😀'), assistant())).toEqual([]);
  });

  it('names a reserved token once a field and offers another spelling', () => {
    const { problems } = checkConversation({ system: 'USER: a. USER: b', turns: [user(), assistant()] });
    expect(problems).toEqual([
      {
        code: 'ReservedToken',
        message: 'system holds "USER:" 2 times, which AWS\'s own dataset checker refuses',
        remedy: 'Write "USER -" or another word instead of "USER:".',
      },
    ]);
  });

  it('only notes other casings', () => {
    const check = checkConversation({ system: 'uSer: and <Image>', turns: [user(), assistant()] });
    expect(check).toEqual({ problems: [], unusualCasings: 2 });
  });
});

describe('reserved tokens', () => {
  it.each([
    ['User:', 'documented'],
    ['Bot:', 'documented'],
    ['Assistant:', 'documented'],
    ['System:', 'documented'],
    ['<image>', 'documented'],
    ['<video>', 'documented'],
    ['[EOS]', 'documented'],
    ['USER:', 'checker'],
    ['SYSTEM:', 'checker'],
    ['Thought:', 'checker'],
    ['THOUGHT:', 'capitals'],
    ['<IMAGE>', 'capitals'],
    ['user:', 'casing'],
    ['[eos]', 'casing'],
  ])('tells %s to be %s, also inside a word', (token, kind) => {
    expect(findReservedTokens(`Super${token} x`)).toMatchObject([{ token, kind, offset: 5 }]);
  });

  it('offers rewrites that are free of reserved tokens', () => {
    for (const token of ['User:', 'ASSISTANT:', '<image>', '[EOS]', 'Thought:']) {
      const [found] = findReservedTokens(token);
      expect(findReservedTokens(found?.rewrite ?? token)).toEqual([]);
    }
  });
});

describe('splitting by group', () => {
  it('takes the share of the buckets', () => {
    expect(splitOf(999, 0.1)).toBe('validation');
    expect(splitOf(1000, 0.1)).toBe('training');
    expect(splitOf(0, 0)).toBe('training');
  });

  const group = (groupKey: string, rank: string, records: number): GroupSize => ({ groupKey, rank, records });

  it('mends an empty validation split with the first group that holds at most half', () => {
    const groups = [group('a', '1', 15), group('b', '3', 2), group('c', '2', 3)];
    expect(groupForValidation(groups, 20)).toBe('c');
    expect(groupForValidation([group('a', '1', 20)], 20)).toBeNull();
  });
});

describe('problems as text', () => {
  it('say place, code, what was found and what to do', () => {
    const problem = {
      file: 'rows.jsonl',
      line: 3,
      byteOffset: 41,
      code: 'InvalidJson',
      message: 'Unexpected token',
      remedy: 'Correct the row',
    };
    expect(formatProblem(problem)).toBe(
      'rows.jsonl:3 (byte 41) InvalidJson: Unexpected token. Correct the row.',
    );
  });

  it('quote at most so many characters on one line', () => {
    expect(excerpt('a\n\0 b', 10)).toBe('a b');
    expect(excerpt('abcdef', 3)).toBe('abc…');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 50 }), (text, length) => {
        const line = excerpt(text, length);
        expect(Array.from(line).length).toBeLessThanOrEqual(length + 1);
        expect(line).not.toMatch(/[\p{Cc}\p{Cs}]/u);
      }),
    );
  });
});
