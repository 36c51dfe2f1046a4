import type { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { connectTemporal } from '../../src/workers/dependencies.js';

interface Connections {
  readonly client: Client;
  readonly connection: NativeConnection;
}

interface Entry {
  readonly opened: Promise<Connections>;
  users: number;
}

const entries = new Map<string, Entry>();

/**
 * The one client and the one worker's connection that this process has to a Temporal server, until the last
 * user releases them. Each of its own would slow down every promise of the process, which campaigns feel.
 */
export async function shareConnections(address: string): Promise<Connections & { release(): Promise<void> }> {
  const entry = entries.get(address) ?? { opened: open(address), users: 0 };
  entries.set(address, entry);
  entry.users += 1;
  const release = async () => {
    entry.users -= 1;
    if (entry.users > 0) return;
    if (entries.get(address) === entry) entries.delete(address);
    const { client, connection } = await entry.opened;
    await client.connection.close();
    await connection.close();
  };
  try {
    return { ...(await entry.opened), release };
  } catch (error) {
    entries.delete(address);
    throw error;
  }
}

async function open(address: string): Promise<Connections> {
  const client = await connectTemporal(address, 'default');
  return { client, connection: await NativeConnection.connect({ address }) };
}
