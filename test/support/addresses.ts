/** Where the servers of a run of tests are: from test/support/global-setup.ts, or from whoever started them. */
export interface Addresses {
  /** A Postgres server on which tests may create databases of their own. */
  readonly databaseUrl: string;
  /** A Temporal server; tests keep apart by task queue, workflow ID and model name. */
  readonly temporalAddress: string;
  /** The workflows, bundled once for every worker of the run. */
  readonly bundlePath: string;
  /** Where both servers keep their data and logs. */
  readonly serversFolder: string;
}

/** Null outside of vitest, which cannot be imported there. */
export const vitest = process.env.VITEST ? await import('vitest') : null;

/** The servers that vitest's global set-up has started. */
export function providedAddresses(): Addresses {
  if (!vitest) throw new Error('Outside of vitest nobody provides servers; start them with startTestServers');
  const { inject } = vitest;
  return {
    databaseUrl: inject('databaseUrl'),
    temporalAddress: inject('temporalAddress'),
    bundlePath: inject('bundlePath'),
    serversFolder: inject('serversFolder'),
  };
}
