/** Takes a lock file that names its process, waiting for a living holder; returns what gives it back. */
export function acquireSetupLock(path: string, onWait: (pid: number) => void): Promise<() => void>;
