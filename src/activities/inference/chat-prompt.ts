import { Template } from '@huggingface/jinja';
import { PermanentFailure } from '../../domain/failures.js';
import type { ModelQuestion } from './client.js';
import { refused } from './refused.js';

type Conversation = Pick<ModelQuestion, 'system' | 'turns'>;

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface ChatTemplate {
  /** Jinja, as in the model's file. */
  readonly template: string;
  readonly beginText: string;
  readonly endText: string;
}

export function toMessages({ system, turns }: Conversation): ChatMessage[] {
  return [
    ...(system === null ? [] : [{ role: 'system', content: system }]),
    ...turns.map(({ role, text }) => ({ role, content: text })),
  ];
}

/** The text that training saw: the model's own template decides about every character. Throws `ProviderRejected`. */
export function renderPrompt(format: ChatTemplate, conversation: Conversation): string {
  try {
    return new Template(format.template).render({
      messages: toMessages(conversation),
      add_generation_prompt: true,
      bos_token: format.beginText,
      eos_token: format.endText,
    });
  } catch (error) {
    throw refusedText(`the model's chat template does not take these turns: ${(error as Error).message}`);
  }
}

/** Throws `ProviderRejected` where a text would end its turn by itself; `findControl` finds what would do it. */
export function refuseControlTexts(
  conversation: Conversation,
  findControl: (text: string) => string | undefined,
): void {
  for (const { role, content } of toMessages(conversation)) {
    const control = findControl(content);
    if (control === undefined) continue;
    throw refusedText(
      `the text of the ${role} holds ${JSON.stringify(control)}, which this model takes for a control token`,
    );
  }
}

/** Throws `ProviderRejected` for what no model can answer. */
export function refuseTheImpossible({ modelId, turns, maxTokens }: ModelQuestion): void {
  if (turns.at(-1)?.role !== 'user') {
    throw refused(modelId, `found ${turns.length} turns; allowed: turns of which the last is the user's`);
  }
  if (!(maxTokens >= 1)) throw refused(modelId, `maxTokens: found ${maxTokens}; allowed: 1 or more`);
}

function refusedText(reason: string): PermanentFailure {
  return new PermanentFailure('ProviderRejected', `ProviderRejected: ${reason}.`);
}
