import type { LocalFolders } from './layout.js';

/** One thing that set-up installs. */
export interface Part {
  readonly name: string;
  /** What it is for, in one line. */
  readonly purpose: string;
  /** Bytes on disk when it is installed, roughly; known only afterwards to the byte. */
  readonly installedBytes: number;
  /** Bytes that its download takes, for as long as it is installed. */
  readonly downloadBytes: number;
  /** Null when it is there, whole and of the wanted version; else what is to be done. */
  state(): Promise<string | null>;
  /** Repairs what an interrupted installation left, and installs. */
  install(context: InstallContext): Promise<void>;
}

export interface InstallContext {
  readonly folders: LocalFolders;
  /** A folder with packages to use instead of the network. */
  readonly from: string | null;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}
