import type { StackFile } from './stack/stack-file.js';

const usualAddress = '127.0.0.1:7233';

/**
 * A command line that people can repeat in the clone's folder: quoted for the shell, and with the address
 * where it is not the one that the CLI takes by default.
 */
export function temporalCommandLine(
  stack: Pick<StackFile, 'temporalAddress'>,
  args: readonly string[],
): string {
  const isDefault = stack.temporalAddress === usualAddress && !hasTemporalSettings();
  const address = isDefault ? [] : ['--address', stack.temporalAddress];
  return ['.anneal/bin/temporal', ...args, ...address].map(quoted).join(' ');
}

function hasTemporalSettings(): boolean {
  return Object.keys(process.env).some((name) => name.startsWith('TEMPORAL_'));
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
