import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AwsClients, createAwsClients } from '../../src/aws/clients.js';
import { startSandbox } from '../../src/sandbox/server.js';
import type { SettingsOverride } from '../../src/sandbox/settings.js';

export interface TestSandbox {
  readonly endpoint: string;
  readonly stateDirectory: string;
  /** Clients of their own, as another process would have. They are closed with the sandbox. */
  newClients(): AwsClients;
  close(): Promise<void>;
}

/** An hour of the sandbox in a second, so that jobs and deployments take moments but still take time. */
export const hourInASecond = 3600;

/** A cloud that sells again under a name and a token whose resource has ended: assumptions 3 and 4 read otherwise. */
export const sellsAgain = { tokenOfDeletedResource: 'new-resource', nameOfEndedJob: 'free' } as const;

const settings: SettingsOverride = {
  trainingHours: 1,
  deploymentMinutes: 30,
  throughputMinutes: 30,
  quotas: { modelUnitsWithoutCommitment: 20, deploymentsInProgress: 20, scheduledCustomizationJobs: 50 },
};

/** A local cloud of one's own, on a free port, thrown away afterwards. */
export async function startTestSandbox(
  override: SettingsOverride = {},
  clockScale: number = hourInASecond,
): Promise<TestSandbox> {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'anneal-test-sandbox-'));
  const sandbox = await startSandbox({
    stateDirectory,
    clockScale,
    settings: { ...settings, ...override },
  });
  const made: AwsClients[] = [];
  return {
    endpoint: sandbox.endpoint,
    stateDirectory,
    newClients: () => {
      const clients = createAwsClients({
        cloud: 'sandbox',
        endpoint: sandbox.endpoint,
        region: 'us-east-1',
      });
      made.push(clients);
      return clients;
    },
    close: async () => {
      for (const clients of made) clients.destroy();
      await sandbox.close();
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
}
