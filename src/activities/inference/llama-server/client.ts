import { type ModelFiles, toServingState } from '../../deployment/gguf/model-files.js';
import { createRecordsOnDisk, openServed } from '../../deployment/gguf/records.js';
import type { LlamaServerTools } from '../../deployment/llama-server/processes.js';
import type { Servers } from '../../deployment/llama-server/servers.js';
import { type LlamaServerSettings, targetName } from '../../deployment/llama-server/settings.js';
import { requireServerTools } from '../../deployment/llama-server/target.js';
import { refuseControlTexts } from '../chat-prompt.js';
import type { InferenceClient, ModelQuestion } from '../client.js';
import { createOpenAiCompatibleClient, type Endpoint } from '../openai-compatible/client.js';
import { refused } from '../refused.js';

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
  const file = toServingState(await files.look(record), record.model);
  const held = file.phase === 'ready' ? await servers.hold(record) : file;
  if ('phase' in held) {
    if (held.phase === 'unusable') throw refused(modelId, held.reason);
    throw new Error(`${modelId} is not ready (${held.doing}); ask again later`);
  }
  const { url, name: model, more, release } = held;
  // What an earlier question has left in the cache could change the last digits, and with them the answer.
  return { server: 'llama-server', url: `${url}/v1`, model, more: { cache_prompt: false, ...more }, release };
}
