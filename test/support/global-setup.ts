import type { TestProject } from 'vitest/node';
import type { Addresses } from './addresses.js';
import { startTestServers } from './servers.js';

declare module 'vitest' {
  interface ProvidedContext extends Addresses {}
}

/** The servers for a whole run of tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { databaseUrl, temporalAddress, bundlePath, serversFolder, close } = await startTestServers();
  process.env.DATABASE_URL = databaseUrl;
  project.provide('databaseUrl', databaseUrl);
  project.provide('temporalAddress', temporalAddress);
  project.provide('bundlePath', bundlePath);
  project.provide('serversFolder', serversFolder);
  return close;
}
