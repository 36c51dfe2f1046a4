import { execa } from 'execa';
import type { Stack } from '../stack/stack.js';
import { temporalCommandLine } from '../temporal-command.js';

export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
}

/** The `temporal` CLI against one stack: each command is printed as people can type it, then run. */
export class TemporalCommand {
  constructor(
    private readonly stack: Pick<Stack, 'temporalCli' | 'environment' | 'temporalAddress'>,
    private readonly print: (line: string) => void,
    private readonly signal: AbortSignal,
  ) {}

  async run(...args: string[]): Promise<CommandResult> {
    const { temporalCli, environment } = this.stack;
    this.print(`$ ${temporalCommandLine(this.stack, args)}`);
    const options = { env: environment, extendEnv: false, reject: false, cancelSignal: this.signal };
    const { exitCode = 1, stdout, stderr } = await execa(temporalCli, args, options);
    this.signal.throwIfAborted();
    return { exitCode, output: [stdout, stderr].filter((text) => text !== '').join('\n') };
  }
}
