import type { Migration } from 'kysely';
import { registryTables } from './0001-registry-tables.js';

/** Applied in order of name. A migration that has been released is never edited: add the next one. */
export const migrations: Record<string, Migration> = {
  '0001-registry-tables': registryTables,
};
