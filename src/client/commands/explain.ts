import { Command } from 'commander';
import { isJsonObject } from '../../domain/json.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { readRunSpec } from '../run-spec-file.js';

export function explainCommand(directory: string): Command {
  return new Command('explain')
    .description('Prints a run with every default filled in, and where each value comes from.')
    .argument('<run.json>', 'a run spec, or - for standard input')
    .option('--json', 'print the resolved spec as JSON, with the origins under "origin"')
    .addHelpText(
      'after',
      `
Starts nothing and calls nobody.

Examples:
  anneal explain run.json
  echo '{"recipe":"stylist"}' | anneal explain - --json`,
    )
    .action(async (file: string, options: { json?: true }) => {
      const input = readRunSpec(file, directory);
      const { resolveOffline } = await import('../resolve-offline.js');
      const spec = withoutRun(resolveOffline(input));
      console.log(options.json ? JSON.stringify(spec, null, 2) : table(spec));
    });
}

type Explained = Omit<ResolvedRunSpec, 'run'>;

/** Names and keys of a run are made when it starts. */
function withoutRun({ run: _, ...spec }: ResolvedRunSpec): Explained {
  return spec;
}

function table({ origin, ...spec }: Explained): string {
  const rows = leaves(spec).map(([path, value]) => [path, JSON.stringify(value), originOf(path, origin)]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(([path = '', value = '', from = '']) =>
      `${path.padEnd(widths[0] ?? 0)}  ${value.padEnd(Math.min(widths[1] ?? 0, 60))}  ${from}`.trimEnd(),
    )
    .join('\n');
}

function leaves(value: unknown, path = ''): [string, unknown][] {
  if (!isJsonObject(value) || Object.keys(value).length === 0) return [[path, value]];
  return Object.entries(value).flatMap(([key, member]) => leaves(member, path ? `${path}.${key}` : key));
}

/** The origin of a value, or of the nearest part that contains it. */
function originOf(path: string, origin: Readonly<Record<string, string>>): string {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const found = origin[at];
    if (found !== undefined) return found;
  }
  return '';
}
