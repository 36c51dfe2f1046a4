import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { searchAttributes } from '../../domain/search-attributes.js';
import { repositoryRoot } from '../repository-root.js';
import type { Launcher } from './launcher.js';
import { freePort, withPortRetries } from './ports.js';
import { StackError } from './stack-error.js';

const usualPort = 7233;
const usualUiPort = 8233;
const namespace = 'default';

export interface TemporalServer {
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string;
  /** For everything that talks to this server, and keeps people's own Temporal settings out of it. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The CLI that the set-up found or installed. */
export function temporalCli(): string {
  const path = join(repositoryRoot, '.anneal/bin/temporal');
  if (existsSync(path)) return path;
  throw new StackError('The Temporal CLI is missing. Remedy: "node scripts/setup.mjs".');
}

/** Starts the development server with its Web UI on loopback, on the usual ports where they are free. */
export async function startTemporal(
  launcher: Launcher,
  signal?: AbortSignal,
  moreArguments: readonly string[] = [],
): Promise<TemporalServer> {
  const cli = temporalCli();
  const optionalFlags = (await supports(cli, '--ui-disable-news-fetch')) ? ['--ui-disable-news-fetch'] : [];
  return withPortRetries(async (attempt) => {
    const port = await freePort(attempt === 0 ? usualPort : null);
    const uiPort = await freePort(attempt === 0 ? usualUiPort : null, new Set([port]));
    const server = await launcher.start({
      name: 'temporal',
      command: cli,
      args: [
        ...serverArguments(launcher.home.temporalDatabase, port, uiPort),
        ...optionalFlags,
        ...moreArguments,
      ],
      cwd: launcher.home.path,
      env: withoutTemporalSettings(process.env),
      logPath: launcher.logPath('temporal'),
    });
    const uiUrl = `http://127.0.0.1:${uiPort}`;
    await server.until(() => namespaceAnswers(uiUrl), { timeoutMs: 30_000, signal });
    const address = `127.0.0.1:${port}`;
    return { address, namespace, uiUrl, environment: clientEnvironment(launcher, address) };
  });
}

function serverArguments(databasePath: string, port: number, uiPort: number): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)],
    // With its journal this way the server completes a third more workflows a second, and stays crash-safe.
    ...['--db-filename', databasePath, '--sqlite-pragma', 'journal_mode=wal'],
    ...['--sqlite-pragma', 'synchronous=normal', '--log-level', 'error'],
    ...Object.entries(searchAttributes).flatMap(([name, type]) => [
      '--search-attribute',
      `${name}=${type === 'DOUBLE' ? 'Double' : 'Keyword'}`,
    ]),
  ];
}

async function supports(cli: string, flag: string): Promise<boolean> {
  const { stdout } = await execa(cli, ['server', 'start-dev', '--help'], { reject: false });
  return stdout.includes(flag);
}

/** Through the Web UI's own server, so that one answer shows that the UI, the server and the namespace work. */
async function namespaceAnswers(uiUrl: string): Promise<true | null> {
  const options = { signal: AbortSignal.timeout(2000) };
  const response = await fetch(`${uiUrl}/api/v1/namespaces/${namespace}`, options).catch(() => null);
  await response?.body?.cancel();
  return response?.ok ? true : null;
}

function clientEnvironment(launcher: Launcher, address: string): Record<string, string> {
  const { temporalConfig } = launcher.home;
  writeFileSync(temporalConfig, `[profile.default]\naddress = "${address}"\nnamespace = "${namespace}"\n`);
  return {
    TEMPORAL_CONFIG_FILE: temporalConfig,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
  };
}

/** An environment whose Temporal settings (address, profile, keys) are not those of another server. */
export function withoutTemporalSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('TEMPORAL_')));
}
