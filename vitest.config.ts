import { defineConfig } from 'vitest/config';
import { CampaignsFirst } from './test/support/campaigns-first.js';

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: CampaignsFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    include: ['test/**/*.test.ts'],
  },
});
