import { defineConfig } from 'vitest/config';

/** Engines that `anneal setup local` installs on other machines; docs/train-on-your-own-machine.md says how to try them here. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    include: ['test/local/**/*.engines.ts'],
  },
});
