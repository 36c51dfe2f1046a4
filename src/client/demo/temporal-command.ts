import { relative } from 'node:path';
import { execa } from 'execa';
import { repositoryRoot } from '../repository-root.js';
import type { Stack } from '../stack/stack.js';

export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
}

/** The `temporal` CLI against one stack: each command is printed as people can type it, then run. */
export class TemporalCommand {
  constructor(
    private readonly stack: Pick<Stack, 'temporalCli' | 'environment' | 'temporalAddress'>,
    private readonly print: (line: string) => void,
  ) {}

  async run(...args: string[]): Promise<CommandResult> {
    const { temporalCli, environment, temporalAddress } = this.stack;
    const shown = relative(repositoryRoot, temporalCli);
    const program = shown.startsWith('..') ? 'temporal' : shown;
    this.print(`$ ${program} ${args.map(quote).join(' ')} --address ${temporalAddress}`);
    const {
      exitCode = 1,
      stdout,
      stderr,
    } = await execa(temporalCli, [...args, '--address', temporalAddress], {
      env: environment,
      extendEnv: false,
      reject: false,
      // Ctrl-C reaches the CLI only through us, like everything else.
      detached: false,
    });
    return { exitCode, output: [stdout, stderr].filter((text) => text !== '').join('\n') };
  }
}

function quote(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
