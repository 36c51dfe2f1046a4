import { nameIn } from '../deployment/gguf/records.js';
import type { InferenceClient } from './client.js';

/** Has base models, which a model server holds under no name of ours, answered by another client. */
export function withBaseModels(client: InferenceClient, baseModels: InferenceClient): InferenceClient {
  return {
    name: client.name,
    ask: (question, signal) => {
      const isDeployment = nameIn(client.name, question.modelId) !== null;
      return (isDeployment ? client : baseModels).ask(question, signal);
    },
  };
}
