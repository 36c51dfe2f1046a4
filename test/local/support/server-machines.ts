import { createModelFiles } from '../../../src/activities/deployment/gguf/model-files.js';
import {
  createRecordsInStore,
  createRecordsOnDisk,
} from '../../../src/activities/deployment/gguf/records.js';
import { createServers } from '../../../src/activities/deployment/llama-server/servers.js';
import { createLlamaServerTarget } from '../../../src/activities/deployment/llama-server/target.js';
import { createOllamaHost } from '../../../src/activities/deployment/ollama/host.js';
import type { OllamaSettings } from '../../../src/activities/deployment/ollama/settings.js';
import { createOllamaTarget } from '../../../src/activities/deployment/ollama/target.js';
import { createLlamaServerInferenceClient } from '../../../src/activities/inference/llama-server/client.js';
import { createOllamaApi } from '../../../src/activities/inference/ollama/api.js';
import { createOllamaInferenceClient } from '../../../src/activities/inference/ollama/client.js';
import { python } from '../programs.js';
import { createGgufMachine, type GgufHome, type GgufMachine } from './gguf-machine.js';
import { llamaServerProgram } from './programs-of-servers.js';

const readyWithinMs = 120_000;

/** Serves by llama-server processes on this machine. `tools` are those of a worker, also of one that is killed. */
export function createLlamaServerMachine(
  base: GgufHome,
  settings: Readonly<Record<string, number>>,
  tools = { program: llamaServerProgram, python },
): GgufMachine {
  const { home, store: objects } = base;
  const newParts = () => {
    const files = createModelFiles({ objects, home });
    return { objects, home, files, tools, servers: createServers({ home, files, ...tools }) };
  };
  return createGgufMachine(base, {
    name: 'llama-server',
    settings,
    newTarget: () => createLlamaServerTarget(newParts()),
    newClient: () => createLlamaServerInferenceClient(newParts()),
    newRecords: () => createRecordsOnDisk(home, 'llama-server'),
    readyWithinMs,
  });
}

/** Serves by the Ollama at `url`. */
export function createOllamaMachine(
  base: GgufHome,
  settings: Readonly<Record<string, number>>,
  url: string,
): GgufMachine {
  const objects = base.store;
  const newParts = () => {
    const records = createRecordsInStore<OllamaSettings>(objects, 'ollama');
    const api = createOllamaApi(url);
    return { objects, records, api, host: createOllamaHost({ objects, records, api }) };
  };
  return createGgufMachine(base, {
    name: 'ollama',
    settings,
    newTarget: () => createOllamaTarget(newParts()),
    newClient: () => createOllamaInferenceClient(newParts()),
    newRecords: () => createRecordsInStore(objects, 'ollama'),
    readyWithinMs,
  });
}
