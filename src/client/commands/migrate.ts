import { Command } from 'commander';
import { commandConfig } from '../stack-addresses.js';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description("Brings the registry's database to the newest schema.")
    .option('--database-url <url>', 'default: DATABASE_URL, else the running stack')
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      `
Safe to repeat, and safe from several machines at once. "anneal up" does it by itself.

Examples:
  anneal migrate
  DATABASE_URL=postgres://user:password@host/anneal anneal migrate`,
    )
    .action(async (options: { databaseUrl?: string; json?: true }) => {
      const url = options.databaseUrl ?? commandConfig({ offline: true }).databaseUrl;
      const { migrateToLatest } = await import('../../database/migrate.js');
      const report = await migrateToLatest(url);
      if (options.json) console.log(JSON.stringify(report));
      else if (report.applied.length === 0) console.log('The database is up to date.');
      else console.log(`Applied ${report.applied.length} migrations: ${report.applied.join(', ')}.`);
    });
}
