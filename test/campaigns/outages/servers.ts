import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { homeAt } from '../../../src/client/stack/home.js';
import { Launcher } from '../../../src/client/stack/launcher.js';
import type { ManagedProcess, ProcessOptions } from '../../../src/client/stack/managed-process.js';
import { startPostgres } from '../../../src/client/stack/postgres-server.js';
import { startTemporal } from '../../../src/client/stack/temporal-server.js';
import type { Addresses } from '../../support/addresses.js';

export type ServerName = 'postgres' | 'temporal';

/** As the servers of every campaign: timers are prompt, and a dead worker's task is given away soon. */
const temporalArguments = [
  ...['--dynamic-config-value', 'history.timerProcessorMaxTimeShift="100ms"'],
  ...['--dynamic-config-value', 'history.defaultWorkflowTaskTimeout="3s"'],
];

const graceMs = { temporal: 3_000, postgres: 5_000 };

/** Servers of one's own, each of which can be ended and started again on the same data and the same port. */
export class MortalServers {
  readonly #running = new Map<string, ManagedProcess>();
  readonly #options = new Map<string, ProcessOptions>();

  private constructor(
    private readonly folder: string,
    private readonly launcher: Launcher,
    readonly addresses: Addresses,
    private readonly uiUrl: string,
  ) {}

  static async start(signal?: AbortSignal): Promise<MortalServers> {
    const folder = mkdtempSync(join(tmpdir(), 'anneal-outages-'));
    const launcher = await Launcher.open(homeAt(folder), {
      onLeftovers: () => {},
      // An exit on the way up is tried again; any other is seen by all that use the server.
      onUnexpectedExit: () => {},
    });
    const started: [ProcessOptions, ManagedProcess][] = [];
    const release = await occupyUsualPorts();
    const start = launcher.start.bind(launcher);
    // Whatever the stack starts a server with is kept, to start it again with exactly that.
    launcher.start = async (options) => {
      const server = await start(options);
      started.push([options, server]);
      return server;
    };
    try {
      const [databaseUrl, temporal] = await Promise.all([
        startPostgres(launcher, signal),
        startTemporal(launcher, signal, temporalArguments),
      ]);
      await release();
      const { address: temporalAddress, uiUrl } = temporal;
      const addresses = { databaseUrl, temporalAddress, bundlePath: '', serversFolder: folder };
      const servers = new MortalServers(folder, launcher, addresses, uiUrl);
      for (const [options, server] of started) servers.#keep(options, server);
      return servers;
    } catch (error) {
      await release();
      await launcher.stopAll(graceMs);
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Ends a server, by SIGKILL or by the signal that asks it to, leaves it off for a while, starts it again. */
  async restart(name: ServerName, how: { readonly kill: boolean; readonly offMs: number }): Promise<void> {
    const server = this.#running.get(name);
    const options = this.#options.get(name);
    if (!server || !options) throw new Error(`${name} does not run`);
    if (how.kill) await server.kill();
    else await server.stop(10_000);
    await new Promise((resolve) => setTimeout(resolve, how.offMs));
    // Its port is nobody's while it is off: who took it meanwhile may be gone the next time.
    for (let attempt = 1; ; attempt += 1) {
      const next = await this.launcher.start(options);
      this.#keep(options, next);
      try {
        await next.until(() => this.#isReady(name, next), { timeoutMs: 60_000 });
        return;
      } catch (error) {
        if (attempt === 10) throw error;
        await next.kill();
      }
    }
  }

  async close(): Promise<void> {
    await this.launcher.stopAll(graceMs);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #keep(options: ProcessOptions, server: ManagedProcess): void {
    this.#options.set(options.name, options);
    this.#running.set(options.name, server);
  }

  async #isReady(name: ServerName, server: ManagedProcess): Promise<true | null> {
    if (name === 'postgres') {
      return server.output().includes('ready to accept connections') ? true : null;
    }
    const request = fetch(`${this.uiUrl}/api/v1/namespaces/default`, { signal: AbortSignal.timeout(2000) });
    const response = await request.catch(() => null);
    await response?.body?.cancel();
    return response?.ok ? true : null;
  }
}

/**
 * Keeps the usual ports busy until the servers have taken others: whatever else starts on this machine would
 * take a usual port while its server is off, and be taken for that server.
 */
async function occupyUsualPorts(): Promise<() => Promise<void>> {
  const holders = await Promise.all(
    [5433, 7233, 8233].map(
      (port) =>
        new Promise<Server | null>((resolve) => {
          const holder = createServer();
          holder.once('error', () => resolve(null));
          holder.listen(port, '127.0.0.1', () => resolve(holder));
        }),
    ),
  );
  return async () => {
    await Promise.all(
      holders.map(
        (holder) => new Promise<void>((resolve) => (holder ? holder.close(() => resolve()) : resolve())),
      ),
    );
  };
}
