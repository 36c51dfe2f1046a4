import { Command } from 'commander';
import { currentWorkflowBundle } from '../../../scripts/setup/workflow-bundle.mjs';
import { CommandFailure } from '../exit.js';
import { repositoryRoot } from '../repository-root.js';
import { commandConfig, environmentOfStack } from '../stack-addresses.js';

/** `TASK_QUEUE_TYPE_WORKFLOW` of Temporal's API. */
const workflowTaskQueue = 1;

export function workerCommand(): Command {
  return new Command('worker')
    .description('Runs one more worker in the foreground; Ctrl-C lets it finish what it is doing.')
    .option('--check', 'instead, exit 0 when a worker polls the task queue and 1 when none does')
    .addHelpText(
      'after',
      `
Configured by the environment and .env (see .env.example); what these do not say is taken from the stack
that "anneal up" runs. Prints one line of JSON once it polls; logs go to standard error.

Examples:
  anneal worker
  anneal worker --check && echo alive
  ANNEAL_CLOUD=aws ANNEAL_AWS_ACCOUNT=123456789012 TEMPORAL_PROFILE=prod anneal worker`,
    )
    .action(async ({ check = false }: { check?: boolean }) => {
      // Faults of the configuration are shown in one message before anything is started.
      const { taskQueue } = commandConfig({ offline: check });
      for (const [name, value] of Object.entries(environmentOfStack())) process.env[name] ||= value;
      if (check) return checkPollers(taskQueue);
      const bundle = currentWorkflowBundle(repositoryRoot);
      if (bundle) process.env.ANNEAL_WORKFLOW_BUNDLE ||= bundle;
      await import('../../workers/main.js');
    });
}

async function checkPollers(taskQueue: string): Promise<void> {
  const { TEMPORAL_ADDRESS = '127.0.0.1:7233', TEMPORAL_NAMESPACE = 'default' } = process.env;
  const { connectTemporal } = await import('../../workers/dependencies.js');
  const client = await connectTemporal(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE).catch((error: Error) => {
    throw new CommandFailure(`Temporal at ${TEMPORAL_ADDRESS} cannot be reached (${error.message}).`);
  });
  try {
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: TEMPORAL_NAMESPACE,
      taskQueue: { name: taskQueue },
      taskQueueType: workflowTaskQueue,
    });
    if (!pollers || pollers.length === 0)
      throw new CommandFailure(`No worker polls task queue ${taskQueue}.`);
    console.log(`${pollers.length} workers poll task queue ${taskQueue}.`);
  } finally {
    await client.connection.close();
  }
}
