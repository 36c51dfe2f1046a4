import { join, resolve } from 'node:path';
import { repositoryRoot } from '../repository-root.js';

/** Where everything of one stack lies: deleting the folder forgets it all. */
export interface Home {
  readonly path: string;
  readonly temporalDatabase: string;
  readonly temporalConfig: string;
  readonly postgres: string;
  readonly cloud: string;
  readonly logs: string;
  /** Addresses, for people and scripts; exists only while everything is ready. */
  readonly stackFile: string;
  /** Who runs which processes, to find what a killed stack left; exists while any of them may live. */
  readonly processesFile: string;
}

/** The home at `path` (relative to the clone), by default `.anneal`. */
export function homeAt(path: string = process.env.ANNEAL_HOME || '.anneal'): Home {
  const home = resolve(repositoryRoot, path);
  return {
    path: home,
    temporalDatabase: join(home, 'temporal.db'),
    temporalConfig: join(home, 'temporal.toml'),
    postgres: join(home, 'postgres'),
    cloud: join(home, 'cloud'),
    logs: join(home, 'logs'),
    stackFile: join(home, 'stack.json'),
    processesFile: join(home, 'processes.json'),
  };
}

/** Everything that a stack keeps in its home; what set-up installs below `.anneal` is not among it. */
export function statePaths(home: Home): string[] {
  const database = ['', '-shm', '-wal', '-journal'].map((suffix) => home.temporalDatabase + suffix);
  return [...database, home.temporalConfig, home.postgres, `${home.postgres}.partial`, home.cloud, home.logs];
}
