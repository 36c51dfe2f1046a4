import {
  type BedrockRuntimeClient,
  ConverseCommand,
  type ConverseResponse,
} from '@aws-sdk/client-bedrock-runtime';
import { toFailure } from '../../aws/to-failure.js';
import type { InferenceClient, ModelAnswer, ModelQuestion } from './client.js';

export interface BedrockInferenceOptions {
  readonly bedrockRuntime: BedrockRuntimeClient;
}

/** Asks models on Amazon Bedrock: deployments, throughputs and base models alike. */
export function createBedrockInferenceClient({ bedrockRuntime }: BedrockInferenceOptions): InferenceClient {
  return {
    name: 'bedrock',

    async ask(question, signal) {
      const askedAtMs = performance.now();
      const response = await bedrockRuntime
        .send(toConverseCommand(question), { abortSignal: signal })
        .catch((error: unknown) => {
          throw toFailure(error, `ask ${question.modelId}`);
        });
      return toAnswer(response, performance.now() - askedAtMs);
    },
  };
}

function toConverseCommand(question: ModelQuestion): ConverseCommand {
  return new ConverseCommand({
    modelId: question.modelId,
    system: question.system === null ? undefined : [{ text: question.system }],
    messages: question.turns.map(({ role, text }) => ({ role, content: [{ text }] })),
    inferenceConfig: { maxTokens: question.maxTokens, temperature: question.temperature },
  });
}

/** The service's own latency leaves out our retries and queues; ours stands in where it reports none. */
function toAnswer(response: ConverseResponse, measuredMs: number): ModelAnswer {
  const content = response.output?.message?.content ?? [];
  return {
    text: content.map((block) => block.text ?? '').join(''),
    stopReason: response.stopReason ?? 'unknown',
    inputTokens: response.usage?.inputTokens ?? 0,
    outputTokens: response.usage?.outputTokens ?? 0,
    latencyMs: response.metrics?.latencyMs ?? measuredMs,
    timeToFirstTokenMs: null,
    tokensPerSecond: null,
  };
}
