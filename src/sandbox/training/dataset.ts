import { isJsonObject } from '../../domain/json.js';
import { joinTurns } from '../inference/conversation.js';
import type { TrainingExample } from '../learner/index.js';

export interface DatasetLimits {
  readonly minimumRecords: number;
  readonly maximumRecords: number;
}

/** Nova's supervised fine-tuning. */
export const trainingLimits: DatasetLimits = { minimumRecords: 8, maximumRecords: 20_000 };
export const validationLimits: DatasetLimits = { minimumRecords: 1, maximumRecords: 20_000 };

const contextTokens = 32_000;

/** Words that Nova's format keeps for itself; a job whose data has one anywhere in a text fails. */
const reservedTokens = [
  'User:',
  'Bot:',
  'Assistant:',
  'System:',
  'USER:',
  'BOT:',
  'ASSISTANT:',
  'SYSTEM:',
  'Thought:',
  '<image>',
  '<video>',
  '[EOS]',
];

export interface ReadDataset {
  readonly examples: TrainingExample[];
  readonly tokens: number;
}

/** A dataset that the job cannot train on; the message names file, line and remedy. */
export class UnusableDataset extends Error {}

/** Reads and checks a JSONL file in the `bedrock-conversation-2024` structure, as the job does. */
export function readDataset(text: string, uri: string, limits: DatasetLimits): ReadDataset {
  const examples: TrainingExample[] = [];
  let tokens = 0;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      const { example, characters } = parseRecord(line);
      examples.push(example);
      tokens += estimateTokens(characters);
    } catch (error) {
      throw new UnusableDataset(`${uri}, line ${index + 1}: ${(error as Error).message}`);
    }
  }
  const { minimumRecords, maximumRecords } = limits;
  if (examples.length < minimumRecords || examples.length > maximumRecords) {
    throw new UnusableDataset(
      `${uri} has ${examples.length} records; allowed are ${minimumRecords} to ${maximumRecords}.`,
    );
  }
  return { examples, tokens };
}

/** Four characters a token: what the job's duration and bill are computed from. */
export function estimateTokens(characters: number): number {
  return Math.ceil(characters / 4);
}

interface Turn {
  readonly role: string;
  readonly text: string;
}

function parseRecord(line: string): { example: TrainingExample; characters: number } {
  const record = parseJson(line);
  if (!isJsonObject(record)) throw new Error('a record must be a JSON object.');
  const { schemaVersion } = record;
  if (schemaVersion !== undefined && typeof schemaVersion !== 'string') {
    throw new Error(`schemaVersion is ${JSON.stringify(schemaVersion)}; allowed is a string.`);
  }
  const system = record.system === undefined ? null : parseContent(record.system, 'system');
  const turns = parseMessages(record.messages);
  const texts = [...(system === null ? [] : [system]), ...turns.map((turn) => turn.text)];
  for (const text of texts) checkReserved(text);
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  if (estimateTokens(characters) > contextTokens) {
    throw new Error(
      `the record has about ${estimateTokens(characters)} tokens; allowed are ${contextTokens}. Shorten it.`,
    );
  }
  const answer = turns.at(-1)?.text ?? '';
  return {
    example: { system, prompt: joinTurns(turns.slice(0, -1).map((turn) => turn.text)), answer },
    characters,
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new Error(`not JSON (${(error as Error).message}).`);
  }
}

function parseMessages(value: unknown): Turn[] {
  if (!Array.isArray(value) || value.length < 2) {
    throw new Error('messages must be a list of at least a user and an assistant message.');
  }
  const turns = value.map((message: unknown, index): Turn => {
    const path = `messages[${index}]`;
    if (!isJsonObject(message)) throw new Error(`${path} must be an object.`);
    const expected = index % 2 === 0 ? 'user' : 'assistant';
    if (message.role !== expected) {
      throw new Error(
        `${path}.role is ${JSON.stringify(message.role)}; expected is "${expected}", for roles alternate and begin with the user.`,
      );
    }
    return { role: expected, text: parseContent(message.content, `${path}.content`) };
  });
  if (turns.at(-1)?.role !== 'assistant') throw new Error('the last message must be from the assistant.');
  return turns;
}

function parseContent(value: unknown, path: string): string {
  if (!Array.isArray(value) || value.length === 0) {
    const found = typeof value === 'string' ? 'a string' : JSON.stringify(value);
    throw new Error(`${path} is ${found}; expected is a list like [{"text": "…"}].`);
  }
  const texts = value.map((block: unknown, index) => {
    if (!isJsonObject(block) || typeof block.text !== 'string') {
      throw new Error(`${path}[${index}] has no text; the sandbox's models are trained on text alone.`);
    }
    if (block.text.trim() === '') throw new Error(`${path}[${index}].text is empty.`);
    return block.text;
  });
  return texts.join('\n');
}

function checkReserved(text: string): void {
  const found = reservedTokens.find((token) => text.includes(token));
  if (found) {
    throw new Error(
      `the text contains the reserved token '${found}'; rephrase it, for instance without the colon.`,
    );
  }
}
