import type { ConverseCommandInput, InvokeModelCommandInput } from '@aws-sdk/client-bedrock-runtime';
import { isJsonObject } from '../../domain/json.js';
import { validationError } from '../api/error.js';
import type { World } from '../world.js';
import { type Answer, answer, standardMaxTokens, standardTemperature } from './generation.js';
import type { ServedModels } from './served-models.js';

export async function converse(world: World, models: ServedModels, input: ConverseCommandInput) {
  if (input.toolConfig) throw validationError("This model doesn't support tool use.");
  const system = (input.system ?? []).map((block, index) => textOf(block, `system[${index}]`));
  const result = await answer(world, models, {
    modelId: input.modelId ?? '',
    system: system.length > 0 ? system.join('\n') : null,
    turns: toTurns(input.messages),
    temperature: input.inferenceConfig?.temperature ?? standardTemperature,
    maxTokens: input.inferenceConfig?.maxTokens ?? standardMaxTokens,
    stopSequences: input.inferenceConfig?.stopSequences ?? [],
  });
  return {
    output: messageOf(result),
    stopReason: result.stopReason,
    usage: usageOf(result),
    metrics: { latencyMs: result.latencyMs },
  };
}

/** Nova's own request and response in a body that Bedrock passes through. */
export async function invokeModel(world: World, models: ServedModels, input: InvokeModelCommandInput) {
  const body = parseNovaBody(input.body as Uint8Array);
  const config = isJsonObject(body.inferenceConfig) ? body.inferenceConfig : {};
  const system = Array.isArray(body.system)
    ? body.system.map((block, index) => textOf(block, `system[${index}]`)).join('\n')
    : null;
  const result = await answer(world, models, {
    modelId: input.modelId ?? '',
    system,
    turns: toTurns(body.messages),
    temperature: numberIn(config, 'temperature', 0, 1) ?? standardTemperature,
    maxTokens:
      numberIn(config, 'maxTokens', 1, 65_535) ??
      numberIn(config, 'max_new_tokens', 1, 65_535) ??
      standardMaxTokens,
    stopSequences: Array.isArray(config.stopSequences) ? config.stopSequences.map(String) : [],
  });
  const response = { output: messageOf(result), stopReason: result.stopReason, usage: usageOf(result) };
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(response)) };
}

function parseNovaBody(bytes: Uint8Array) {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw validationError(`Malformed input request: the body is not JSON (${(error as Error).message}).`);
  }
  if (!isJsonObject(body)) throw validationError('Malformed input request: the body is no JSON object.');
  return body;
}

function toTurns(messages: unknown): string[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw validationError('A conversation must have at least one message.');
  }
  const turns = messages.map((message: unknown, index) => {
    const expected = index % 2 === 0 ? 'user' : 'assistant';
    if (!isJsonObject(message) || message.role !== expected) {
      throw validationError(
        'A conversation must start with a user message, and roles must alternate between user and assistant.',
      );
    }
    const { content } = message;
    if (!Array.isArray(content) || content.length === 0) {
      throw validationError(`messages[${index}].content must be a list of at least one block.`);
    }
    return content.map((block, at) => textOf(block, `messages[${index}].content[${at}]`)).join('\n');
  });
  if (turns.length % 2 === 0) throw validationError('A conversation must end with a user message.');
  return turns;
}

function textOf(block: unknown, path: string): string {
  if (!isJsonObject(block) || typeof block.text !== 'string') {
    throw validationError(`${path} has no text; the sandbox's models read text alone.`);
  }
  if (block.text.trim() === '') throw validationError(`The text field in ${path} is blank.`);
  return block.text;
}

function numberIn(
  config: Readonly<Record<string, unknown>>,
  name: string,
  minimum: number,
  maximum: number,
): number | undefined {
  const value = config[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || value < minimum || value > maximum) {
    throw validationError(
      `Malformed input request: inferenceConfig.${name} is ${JSON.stringify(value)}; allowed is a number from ${minimum} to ${maximum}.`,
    );
  }
  return value;
}

function messageOf(result: Answer) {
  return { message: { role: 'assistant', content: [{ text: result.text }] } };
}

function usageOf({ inputTokens, outputTokens }: Answer) {
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}
