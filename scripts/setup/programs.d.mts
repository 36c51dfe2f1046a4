export type Program = 'client' | 'worker' | 'sandbox';

/** Path of a program compiled from the present source; compiles all of them where they are not there yet. */
export function provideProgram(root: string, name: Program): Promise<string>;

/** Compiles TypeScript and the packages that it imports to few files: `out` names each, below `outdir`. */
export function compile(options: {
  readonly entryPoints: readonly { readonly in: string; readonly out: string }[];
  readonly outdir: string;
}): Promise<void>;
