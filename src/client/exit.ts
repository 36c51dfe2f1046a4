/** What a script can rely on. */
export const exitCodes = { ok: 0, failure: 1, badInput: 2, interrupted: 130 } as const;

/** Ends a command with a message for people and an exit code for scripts. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';

  constructor(
    message: string,
    readonly exitCode: number = exitCodes.failure,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
