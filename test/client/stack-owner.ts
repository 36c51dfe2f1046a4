// A process that owns a stack, for tests that end it in every way. Prints what happens as lines of JSON.
import { withInterruption } from '../../src/client/interruption.js';
import { startStack } from '../../src/client/stack/stack.js';

const [home, parts] = process.argv.slice(2);
const isWhole = parts === 'whole';

await withInterruption(async (signal) => {
  try {
    const stack = await startStack({
      home,
      withSandbox: isWhole,
      withWorker: isWhole,
      signal,
      onProgress: (progress) => console.log(JSON.stringify({ progress })),
    });
    console.log(JSON.stringify({ ready: true, pids: stack.pids() }));
    const alive = setInterval(() => {}, 1000);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    clearInterval(alive);
    await stack.stop();
    console.log(JSON.stringify({ stopped: true }));
  } catch (error) {
    console.log(JSON.stringify({ failed: (error as Error).name }));
    process.exitCode = 130;
  }
});
