/** Something about the stack that a person can mend; the message ends with the remedy. */
export class StackError extends Error {
  override readonly name: string = 'StackError';
}

/** The stack was told to stop while it was starting. */
export class StackInterrupted extends StackError {
  override readonly name = 'StackInterrupted';

  constructor() {
    super('Interrupted while starting.');
  }
}
