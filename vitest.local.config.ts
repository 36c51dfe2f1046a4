import { defineConfig } from 'vitest/config';

/** The real chain: needs `anneal setup local`, and takes minutes. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 900_000,
    hookTimeout: 300_000,
    include: ['test/local/**/*.real.ts'],
  },
});
