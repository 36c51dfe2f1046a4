import type { Migration } from 'kysely';
import { registryTables } from './0001-registry-tables.js';
import { budgetTables } from './0002-budgets.js';
import { deploymentUsage } from './0003-deployment-usage.js';
import { admissionTickets } from './0004-admission-tickets.js';
import { artifacts } from './0005-artifacts.js';
import { callRates } from './0006-call-rates.js';
import { parityChecks } from './0007-parity-checks.js';
import { closedTickets } from './0008-closed-tickets.js';

/** Applied in order of name. A migration that has been released is never edited: add the next one. */
export const migrations: Record<string, Migration> = {
  '0001-registry-tables': registryTables,
  '0002-budgets': budgetTables,
  '0003-deployment-usage': deploymentUsage,
  '0004-admission-tickets': admissionTickets,
  '0005-artifacts': artifacts,
  '0006-call-rates': callRates,
  '0007-parity-checks': parityChecks,
  '0008-closed-tickets': closedTickets,
};
