import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { type LocalMachine, startLocalMachine } from '../local/support/local-training.js';
import { storeDataset } from '../support/bedrock-training.js';
import { describeTrainingProvider } from './training-provider.contract.js';

let machine: LocalMachine;

describeTrainingProvider('local', async () => {
  // More than the suite leaves running: here nobody waits in line.
  machine = await startLocalMachine(30);
  const { store, request, pathOf } = machine;
  const unreadable = await storeDataset(store, 'local/unreadable.jsonl', () => 'unreadable');
  const strangers = new Set<string>();
  return {
    newProvider: () => machine.newProvider(),
    request: async (jobName) => request(jobName),
    failingRequest: async (jobName) => request(jobName, { training: unreadable }),
    refusedRequest: async (jobName) => request(jobName, { baseModel: 'not-installed' }),
    startStrangersJob: async (jobName) => {
      strangers.add(jobName);
      const recorded = { request: { ...request(jobName), tags: {} }, requestHash: '', submittedAt: '' };
      await mkdir(pathOf(jobName), { recursive: true });
      await writeFile(pathOf(jobName, 'request.json'), JSON.stringify(recorded));
      await store.put(`${request(jobName).outputUri}manifest.json`, '{}');
    },
    countJobs: async (jobName) => {
      if (!existsSync(pathOf(jobName)) || strangers.has(jobName)) return strangers.has(jobName) ? 1 : 0;
      // Its trainer starts a moment after the job was submitted.
      for (;;) {
        const attempts = (await machine.attempts('quick')).filter(({ job }) => job === jobName);
        if (attempts.length > 0) return attempts.length;
        await sleep(20);
      }
    },
    countModels: async (modelName) =>
      (await store.head(`${request(modelName).outputUri}manifest.json`)) ? 1 : 0,
    endsWithinMs: 20_000,
  };
});

afterAll(() => machine?.close());
