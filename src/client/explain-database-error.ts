import { CommandFailure } from './exit.js';

/** Codes of Node's network errors, and of Postgres's own, under which no server answers queries. */
const unreachable = /^(ECONN|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|57P0\d|08)/;
const undefinedTable = '42P01';
const undefinedDatabase = '3D000';

/** What a person does about a database that a command cannot use; other errors stay what they are. */
export function explainDatabaseError(error: unknown, databaseUrl: string): unknown {
  const code = databaseErrorCode(error);
  const { host } = new URL(databaseUrl);
  if (unreachable.test(code)) {
    return new CommandFailure(
      `Postgres at ${host} cannot be reached. Remedy: start the stack with "anneal up", or set DATABASE_URL.`,
    );
  }
  if (code === undefinedTable || code === undefinedDatabase) {
    return new CommandFailure(`The database at ${host} has no budgets yet. Remedy: anneal migrate`);
  }
  return error;
}

/** Node tries every address of a host and reports the failures together. */
function databaseErrorCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return databaseErrorCode(error.errors[0]);
  return String((error as { code?: unknown }).code ?? '');
}
