import { startVitest } from 'vitest/node';

/**
 * Records test/replay/histories anew: runs each outcome against the local cloud with the workflows as they
 * are now. Do it after a change of a workflow that no running lifecycle has to survive.
 */
const vitest = await startVitest('test', [], {
  include: ['test/replay/record-histories.ts'],
  watch: false,
});
await vitest.close();
