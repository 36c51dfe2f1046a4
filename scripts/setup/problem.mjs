/** What each exit code of a set-up means. */
export const exitCodes = Object.freeze({
  unexpected: 1,
  nodeTooOld: 3,
  disk: 4,
  dependencies: 5,
  temporal: 6,
  locked: 7,
  interrupted: 130,
});

/** Something that a person can mend: shown as one line, what is wrong and then the remedy. */
export class SetupProblem extends Error {
  constructor(exitCode, message, remedy) {
    super(`${message} Remedy: ${remedy}`);
    this.name = 'SetupProblem';
    this.exitCode = exitCode;
  }
}
