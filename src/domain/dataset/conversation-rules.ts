import type { DatasetRecord, Turn } from '../dataset.js';
import type { RowProblem } from '../recipe.js';
import { excerpt } from './problem.js';
import { findReservedTokens, type ReservedToken } from './reserved-tokens.js';

export interface ConversationCheck {
  readonly problems: readonly RowProblem[];
  /** Reserved words in a casing that Bedrock is not known to refuse. */
  readonly unusualCasings: number;
}

/** Checks what Nova asks of every record, whatever it was read from. */
export function checkConversation(record: Pick<DatasetRecord, 'system' | 'turns'>): ConversationCheck {
  const texts = namedTexts(record);
  const tokens = texts.map(([field, text]) => [field, findReservedTokens(text)] as const);
  return {
    problems: [
      ...checkRoles(record.turns),
      ...texts.flatMap(([field, text]) => checkText(field, text)),
      ...tokens.flatMap(([field, found]) => reservedTokenProblems(field, found)),
    ],
    unusualCasings: tokens.reduce(
      (count, [, found]) => count + found.filter((token) => token.kind === 'casing').length,
      0,
    ),
  };
}

function namedTexts(record: Pick<DatasetRecord, 'system' | 'turns'>): [field: string, text: string][] {
  const turns = record.turns.map((turn, index): [string, string] => [`messages[${index}]`, turn.text]);
  return record.system === null ? turns : [['system', record.system], ...turns];
}

function checkRoles(turns: readonly Turn[]): RowProblem[] {
  const remedy = 'Begin with "user", take turns, and end with the "assistant" answer to learn.';
  if (turns.length === 0) return [{ code: 'RoleOrder', message: 'there is no message', remedy }];
  for (const [index, turn] of turns.entries()) {
    const expected = index % 2 === 0 ? 'user' : 'assistant';
    if (turn.role !== expected) {
      const message = `messages[${index}] is of "${turn.role}" where "${expected}" must speak`;
      return [{ code: 'RoleOrder', message, remedy }];
    }
  }
  if (turns.length % 2 === 0) return [];
  return [{ code: 'RoleOrder', message: 'the last message is of "user"', remedy }];
}

function checkText(field: string, text: string): RowProblem[] {
  if (text.trim() === '') {
    const remedy = field === 'system' ? 'Fill it, or leave "system" out.' : 'Fill it, or remove the row.';
    return [{ code: 'EmptyText', message: `${field} is empty`, remedy }];
  }
  if (text.includes('\0')) {
    return [
      {
        code: 'NulCharacter',
        message: `${field} holds a NUL character`,
        remedy: 'Remove it; no training text needs one.',
      },
    ];
  }
  if (/\p{Cs}/u.test(text)) {
    return [
      {
        code: 'LoneSurrogate',
        message: `${field} holds half of a character (a lone surrogate), near "${excerpt(text, 40)}"`,
        remedy: 'Write the file again from its source; a text was cut in the middle of an emoji or the like.',
      },
    ];
  }
  return [];
}

/** One problem for each reserved word in a field, however often it stands there. */
function reservedTokenProblems(field: string, found: readonly ReservedToken[]): RowProblem[] {
  const refused = found.filter((token) => token.kind !== 'casing');
  const distinct = [...new Map(refused.map((token) => [token.token, token])).values()];
  return distinct.map((token) => {
    const times = refused.filter((other) => other.token === token.token).length;
    return {
      code: 'ReservedToken',
      message: `${field} holds "${token.token}"${times > 1 ? ` ${times} times` : ''}, ${reason(token)}`,
      remedy: `Write "${token.rewrite}" or another word instead of "${token.token}".`,
    };
  });
}

function reason(token: ReservedToken): string {
  switch (token.kind) {
    case 'documented':
      return 'which Bedrock reserves: a training job with it fails';
    case 'checker':
      return "which AWS's own dataset checker refuses";
    default:
      return 'the all-capitals spelling of a word that Bedrock reserves';
  }
}
