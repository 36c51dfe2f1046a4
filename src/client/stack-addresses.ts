import { type Config, loadConfig } from '../workers/config.js';
import { CommandFailure, exitCodes } from './exit.js';
import { homeAt } from './stack/home.js';
import { readStackFile, type StackFile } from './stack/stack-file.js';

/** The stack that runs in the home (`--home`, ANNEAL_HOME or `.anneal`), or a failure that says how to start one. */
export function runningStack(home?: string): StackFile {
  const stack = readStackFile(homeAt(home));
  if (stack) return stack;
  throw new CommandFailure(
    `No stack is running in ${homeAt(home).path}. Remedy: start one with "anneal up" in another terminal.`,
  );
}

/**
 * The configuration from the environment; what is not said there is taken from the running stack.
 * With `offline`, an unused endpoint stands in where none is known, for commands that call nobody.
 */
export function commandConfig({ home, offline = false }: { home?: string; offline?: boolean } = {}): Config {
  try {
    return loadConfig({ ...environmentOfStack(home, offline), ...withoutEmpty(process.env) });
  } catch (error) {
    throw new CommandFailure(
      `${(error as Error).message}\nRemedy: start the stack with "anneal up", or set these variables (see .env.example).`,
      exitCodes.badInput,
    );
  }
}

/** Whether a command has been told of a database, by the environment or by a running stack. */
export function knowsDatabase(): boolean {
  return Boolean(process.env.DATABASE_URL || environmentOfStack(undefined, true).DATABASE_URL);
}

/** An empty variable, as .env.example has some, says nothing. */
function withoutEmpty(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
}

/** Variables that lead a worker or a command to the running stack; none when nothing runs. */
export function environmentOfStack(home?: string, offline = false): Record<string, string> {
  const stack = readStackFile(homeAt(home));
  if (process.env.ANNEAL_CLOUD === 'aws') return {};
  if (!stack) return offline ? { ANNEAL_AWS_ENDPOINT: 'http://127.0.0.1:9' } : {};
  return {
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: stack.namespace,
    DATABASE_URL: stack.databaseUrl,
    ANNEAL_HOME: homeAt(home).path,
    ...(stack.awsEndpoint ? { ANNEAL_AWS_ENDPOINT: stack.awsEndpoint } : {}),
    AWS_ACCESS_KEY_ID: 'sandbox',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
  };
}
