import type { DatasetRecord, Turn } from '../dataset.js';
import { isJsonObject, type Json, type JsonObject } from '../json.js';
import type { RowProblem } from '../recipe.js';
import { excerpt } from './problem.js';

/** A row of `bedrock-conversation-2024`, read. */
export type ConversationReading =
  | {
      readonly system: string | null;
      readonly turns: readonly Turn[];
      /** Texts that were split over several blocks and are now one, joined by a line break. */
      readonly joinedTexts: number;
    }
  | { readonly problems: readonly RowProblem[] };

/** How many records Nova accepts: at least so many to train on, at most so many in both splits together. */
export const novaRecordLimits = { minimum: 8, maximum: 20_000 } as const;

const schemaVersion = 'bedrock-conversation-2024';
const rowMembers = ['schemaVersion', 'system', 'messages'];

/** Whether a row means to be a conversation; any other row is the recipe's to map. */
export function isConversationRow(row: JsonObject): boolean {
  return Object.hasOwn(row, 'messages') || Object.hasOwn(row, 'schemaVersion');
}

/** One line of a training file, without its line break. Member order is fixed: equal records, equal bytes. */
export function renderConversation(record: Pick<DatasetRecord, 'system' | 'turns'>): string {
  return JSON.stringify({
    schemaVersion,
    ...(record.system === null ? {} : { system: [{ text: record.system }] }),
    messages: record.turns.map((turn) => ({ role: turn.role, content: [{ text: turn.text }] })),
  });
}

/** Reads a conversation row, or says everything that is wrong with its shape. */
export function readConversation(row: JsonObject): ConversationReading {
  const reader = new ConversationReader();
  const system = reader.readSystem(row.system);
  const turns = reader.readMessages(row.messages);
  reader.checkMembers(row);
  const problems = reader.finish(row);
  return problems.length > 0 ? { problems } : { system, turns, joinedTexts: reader.joinedTexts };
}

class ConversationReader {
  joinedTexts = 0;
  private readonly problems: RowProblem[] = [];
  /** Where a plain string stands instead of a list of blocks; reported together. */
  private readonly plainTexts: string[] = [];

  readSystem(system: Json | undefined): string | null {
    if (system === undefined || system === null) return null;
    if (Array.isArray(system) && system.length === 0) return null;
    return this.readBlocks(system, 'system');
  }

  readMessages(messages: Json | undefined): Turn[] {
    if (!Array.isArray(messages)) {
      const found = messages === undefined ? 'is missing' : `is ${kindOf(messages)}`;
      this.report(
        messages === undefined ? 'MissingMember' : 'WrongType',
        `"messages" ${found}`,
        'Give a list of messages, each {"role": "user" or "assistant", "content": [{"text": "…"}]}.',
      );
      return [];
    }
    return messages.map((message, index) => this.readMessage(message, `messages[${index}]`));
  }

  checkMembers(row: JsonObject): void {
    const unknown = Object.keys(row).filter((member) => !rowMembers.includes(member));
    if (unknown.length > 0) {
      const names = unknown.slice(0, 5).map((name) => `"${excerpt(name, 40)}"`);
      this.report(
        'UnknownMember',
        `the row has ${names.join(', ')}${unknown.length > 5 ? ' and more' : ''}, which no conversation has`,
        'Keep only "schemaVersion", "system" and "messages".',
      );
    }
    if (row.schemaVersion !== undefined && typeof row.schemaVersion !== 'string') {
      this.report(
        'WrongType',
        `"schemaVersion" is ${kindOf(row.schemaVersion)}`,
        `Write "schemaVersion": "${schemaVersion}".`,
      );
    }
  }

  finish(row: JsonObject): RowProblem[] {
    if (this.plainTexts.length === 0) return this.problems;
    const places = this.plainTexts.slice(0, 4).join(', ');
    const plainText: RowProblem = {
      code: 'ContentNotArray',
      message: `plain text instead of a list of blocks in ${places}${this.plainTexts.length > 4 ? ', …' : ''}`,
      remedy: `Write the row as ${JSON.stringify(convertedForm(row))}`,
    };
    return [plainText, ...this.problems];
  }

  private readMessage(message: Json, path: string): Turn {
    if (!isJsonObject(message)) {
      this.report(
        'WrongType',
        `${path} is ${kindOf(message)}`,
        'Write {"role": "user" or "assistant", "content": [{"text": "…"}]}.',
      );
      return { role: 'user', text: '' };
    }
    const unknown = Object.keys(message).filter((member) => member !== 'role' && member !== 'content');
    if (unknown.length > 0) {
      this.report(
        'UnknownMember',
        `${path} has "${excerpt(unknown[0] ?? '', 40)}", which no message has`,
        'Keep only "role" and "content".',
      );
    }
    return { role: this.readRole(message.role, path), text: this.readContent(message.content, path) };
  }

  private readRole(role: Json | undefined, path: string): Turn['role'] {
    if (role === 'user' || role === 'assistant') return role;
    if (role === undefined) {
      this.report('MissingMember', `${path} has no "role"`, 'Write "role": "user" or "role": "assistant".');
    } else if (role === 'system') {
      this.report(
        'UnknownRole',
        `${path} has the role "system"`,
        'Move its text out of "messages", to "system": [{"text": "…"}].',
      );
    } else {
      const found = typeof role === 'string' ? `"${excerpt(role, 40)}"` : kindOf(role);
      this.report('UnknownRole', `the role of ${path} is ${found}`, 'Write "user" or "assistant".');
    }
    return 'user';
  }

  private readContent(content: Json | undefined, path: string): string {
    if (content === undefined || content === null) {
      this.report('MissingMember', `${path} has no "content"`, 'Write "content": [{"text": "…"}].');
      return '';
    }
    return this.readBlocks(content, `${path}.content`);
  }

  private readBlocks(blocks: Json, path: string): string {
    if (typeof blocks === 'string') {
      this.plainTexts.push(path);
      return blocks;
    }
    if (!Array.isArray(blocks)) {
      this.report('WrongType', `${path} is ${kindOf(blocks)}`, 'Write a list of blocks: [{"text": "…"}].');
      return '';
    }
    if (blocks.length > 1) this.joinedTexts += 1;
    return blocks.map((block, index) => this.readBlock(block, `${path}[${index}]`)).join('\n');
  }

  private readBlock(block: Json, path: string): string {
    if (typeof block === 'string') {
      this.plainTexts.push(path);
      return block;
    }
    if (!isJsonObject(block)) {
      this.report('WrongType', `${path} is ${kindOf(block)}`, 'Write {"text": "…"}.');
      return '';
    }
    const other = Object.keys(block).find((member) => member !== 'text');
    if (other !== undefined) {
      this.report(
        'UnsupportedContent',
        `${path} holds "${excerpt(other, 40)}"`,
        'Keep text blocks only, {"text": "…"}: images, documents and tool calls cannot be trained on here.',
      );
    } else if (block.text === undefined) {
      this.report('MissingMember', `${path} has no "text"`, 'Write {"text": "…"}.');
    } else if (typeof block.text !== 'string') {
      this.report('WrongType', `"text" in ${path} is ${kindOf(block.text)}`, 'Write it as a string.');
    }
    return typeof block.text === 'string' ? block.text : '';
  }

  private report(code: string, message: string, remedy: string): void {
    this.problems.push({ code, message, remedy });
  }
}

/** What the row should look like, with its own texts shortened and at most two of its messages. */
function convertedForm(row: JsonObject): JsonObject {
  const messages = Array.isArray(row.messages) ? row.messages : [];
  const system: JsonObject =
    row.system === undefined || row.system === null ? {} : { system: convertedBlocks(row.system) };
  return {
    schemaVersion,
    ...system,
    messages: messages.slice(0, 2).map((message, index) => ({
      role: index === 0 ? 'user' : 'assistant',
      content: convertedBlocks(isJsonObject(message) ? (message.content ?? '') : message),
    })),
  };
}

function convertedBlocks(value: Json): JsonObject[] {
  const first = Array.isArray(value) ? (value[0] ?? '') : value;
  const text = isJsonObject(first) ? first.text : first;
  return [{ text: typeof text === 'string' ? excerpt(text) : '…' }];
}

function kindOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
