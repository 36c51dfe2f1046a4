import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { isUsableScale, largestScale } from './admin-routes.js';
import { loadFaults } from './faults/scenarios.js';
import { parseReadings } from './readings.js';
import { startSandbox } from './server.js';

interface Options {
  readonly port: number;
  readonly stateDirectory: string;
  readonly clockScale?: number;
  readonly trainingHours?: number;
  readonly faults?: string;
  readonly readings?: string;
  readonly training: 'simulated' | 'real';
  readonly python: string;
}

const options = new Command('sandbox')
  .description(
    'A local cloud that speaks S3, STS, Bedrock, Bedrock Runtime and SageMaker. Nothing here costs money.',
  )
  .option('--port <port>', 'port on 127.0.0.1; 0 takes a free one', wholeNumber, 0)
  .option('--state-directory <directory>', 'where everything is kept', '.anneal/sandbox')
  .option('--clock-scale <scale>', 'sandbox seconds in a real second, for instance 720', scale)
  .option('--training-hours <hours>', 'how long each training job takes in sandbox hours', positive)
  .option('--faults <file>', 'a fault script, the name of a scenario, or none; see docs/faults.md')
  .option('--readings <file>', 'a set of readings by name, a file, or JSON; see docs/assumptions.md')
  .addOption(
    new Option('--training <how>', 'how SageMaker training jobs run: by the clock, or really on this machine')
      .choices(['simulated', 'real'])
      .default('simulated'),
  )
  .option('--python <path>', 'the Python that real training jobs run with', '.anneal/local/venv/bin/python')
  .parse()
  .opts<Options>();

try {
  const sandbox = await startSandbox({
    port: options.port,
    stateDirectory: options.stateDirectory,
    clockScale: options.clockScale ?? null,
    settings: {
      trainingHours: options.trainingHours ?? null,
      training: options.training,
      python: resolve(options.python),
      ...(options.readings !== undefined && parseReadings(options.readings)),
    },
    ...(options.faults !== undefined && { faults: loadFaults(options.faults) }),
  });
  let isClosing = false;
  const close = () => {
    if (isClosing) return;
    isClosing = true;
    sandbox.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', close);
  process.on('SIGINT', close);
  // Only when started with an IPC channel: a sandbox does not outlive the process that owns it.
  process.on('disconnect', close);
  console.log(
    JSON.stringify({ ready: true, port: sandbox.port, endpoint: sandbox.endpoint, simulated: true }),
  );
} catch (error) {
  console.error(`The sandbox could not start: ${(error as Error).message}`);
  process.exit(1);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) {
    throw new InvalidArgumentError('It must be a port from 0 to 65535.');
  }
  return value;
}

function scale(text: string): number {
  const value = Number(text);
  if (!isUsableScale(value)) {
    throw new InvalidArgumentError(`It must be a number above 0, up to ${largestScale}.`);
  }
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}
