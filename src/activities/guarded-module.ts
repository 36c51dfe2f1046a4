/**
 * Python's arguments for a module below training/ that ends when this process does, also by kill -9: what comes after
 * begins anew, and nothing of ours may go on writing beside it.
 */
export function guardedModule(module: string, ...given: readonly string[]): string[] {
  return ['-m', 'anneal_training.while_parent_lives', String(process.pid), module, ...given];
}
