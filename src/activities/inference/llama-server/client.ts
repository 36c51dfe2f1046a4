import { PermanentFailure } from '../../../domain/failures.js';
import type { ModelFiles } from '../../deployment/gguf/model-files.js';
import { createRecordsOnDisk, openServed } from '../../deployment/gguf/records.js';
import { nameOf, type Servers } from '../../deployment/llama-server/servers.js';
import { type LlamaServerSettings, targetName } from '../../deployment/llama-server/settings.js';
import {
  type LlamaServerTools,
  lookAtServer,
  requireServerTools,
} from '../../deployment/llama-server/target.js';
import { refuseControlTexts } from '../chat-prompt.js';
import type { InferenceClient, ModelQuestion } from '../client.js';
import { createOpenAiCompatibleClient, type Endpoint } from '../openai-compatible/client.js';

export interface LlamaServerInferenceOptions {
  /** Anneal's home. Absolute. */
  readonly home: string;
  readonly files: ModelFiles;
  readonly servers: Servers;
  readonly tools: LlamaServerTools;
}

/** Asks deployments of the target `llama-server`, after the server was found to be the deployment's own. */
export function createLlamaServerInferenceClient(options: LlamaServerInferenceOptions): InferenceClient {
  return createOpenAiCompatibleClient({ name: targetName, find: (question) => find(options, question) });
}

async function find(
  { home, files, servers, tools }: LlamaServerInferenceOptions,
  question: ModelQuestion,
): Promise<Endpoint> {
  const { modelId } = question;
  requireServerTools(tools);
  const record = await openServed(
    createRecordsOnDisk<LlamaServerSettings>(home, targetName),
    targetName,
    modelId,
  );
  if (record === null) throw refused(modelId, 'this machine has no such deployment');
  refuseControlTexts(question, (text) => record.chat?.controlTexts.find((control) => text.includes(control)));
  const state = await lookAtServer(files, servers, record);
  if (state.phase === 'unusable') throw refused(modelId, state.reason);
  const url = await servers.urlOf(record);
  if (state.phase !== 'ready' || url === null) {
    throw new Error(
      `${modelId} is not ready (${state.phase === 'ready' ? 'no address' : state.doing}); ask again later`,
    );
  }
  // What an earlier question has left in the cache could change the last digits, and with them the answer.
  return { server: 'llama-server', url, model: nameOf(record), more: { cache_prompt: false } };
}

function refused(modelId: string, reason: string): PermanentFailure {
  return new PermanentFailure('ProviderRejected', `ProviderRejected: could not ask ${modelId}: ${reason}.`, [
    { modelId },
  ]);
}
