import type { Author } from '../registry/registry.js';

/** A deployment that was given back because nothing asked it, as it was created. */
export interface IdleRelease {
  readonly model: string;
  readonly version: number;
  readonly deploymentName: string;
  readonly target: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Who asked which deployment last, and what was given back because nobody did. */
export interface DeploymentUsage {
  /**
   * Remembers that a deployment is being asked. Returns at once, writes at most once a minute for each
   * deployment, and never fails: whoever asks is not to notice.
   */
  note(deploymentId: string): void;

  /** Hours since each deployment was last asked, by the database's clock; none where it never was. */
  idleHours(deploymentIds: readonly string[]): Promise<ReadonlyMap<string, { hours: number; at: string }>>;

  /** Natural key: the deployment's name. */
  recordRelease(author: Author, release: IdleRelease): Promise<void>;

  /** The newest release of a version's deployment; null when there was none. */
  lastRelease(model: string, version: number): Promise<IdleRelease | null>;
}
