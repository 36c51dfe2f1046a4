import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { CommandFailure, exitCodes } from '../exit.js';
import { commandConfig } from '../stack-addresses.js';

export function reportCommand(directory: string): Command {
  return new Command('report')
    .description('Fetches a stored report, for instance the "report" of a run\'s result, into a file.')
    .argument('<uri>', 'an s3:// address; report.json and report.md lie beside report.html')
    .option('--out <file>', 'where to write it (default: the name in the address, in this folder)')
    .addHelpText(
      'after',
      `
Examples:
  anneal report s3://anneal/models/stylist/validations/1a2b3c4d5e/0f9e8d7c6b/report.html
  anneal report s3://…/report.json --out last-report.json`,
    )
    .action(async (uri: string, { out }: { out?: string }) => {
      if (!/^s3:\/\/[^/]+\/.+/.test(uri)) {
        throw new CommandFailure(
          `uri: found "${uri}"; allowed: s3://bucket/key, as in the "report" of a result.`,
          exitCodes.badInput,
        );
      }
      const { createDependencies } = await import('../../workers/dependencies.js');
      const { objects, close } = await createDependencies(commandConfig());
      try {
        const text = await objects.getText(uri);
        if (text === null) throw new CommandFailure(`There is nothing at ${uri}.`);
        const path = resolve(directory, out ?? uri.slice(uri.lastIndexOf('/') + 1));
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
        console.log(path);
      } finally {
        await close();
      }
    });
}
