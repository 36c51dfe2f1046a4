interface Reply {
  readonly response: unknown;
}

/** What every command of every client has. */
interface Command {
  readonly middlewareStack: {
    add(
      middleware: (next: (args: unknown) => Promise<Reply>) => (args: unknown) => Promise<Reply>,
      options: { step: 'deserialize'; name: string; priority: 'low' },
    ): void;
  };
}

/**
 * Reads the service's clock from the `Date` header of a command's reply. Ages are told by that clock, which
 * need not be this machine's. Call the result after the command was sent: ISO-8601, by this machine's clock
 * where a reply had no date.
 */
export function watchClock(command: object): () => string {
  let date: string | undefined;
  (command as Command).middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      date = headers?.date;
      return result;
    },
    { step: 'deserialize', name: 'watchClock', priority: 'low' },
  );
  return () => {
    const parsed = date === undefined ? Number.NaN : Date.parse(date);
    return new Date(Number.isNaN(parsed) ? Date.now() : parsed).toISOString();
  };
}
