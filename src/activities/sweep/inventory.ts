import type { ModelVersion } from '../../domain/model-version.js';
import type { VersionKey } from '../../domain/sweep.js';

/** What a registered version keeps: the parts of it that decide about resources. */
export type KeptVersion = Pick<
  ModelVersion,
  | 'model'
  | 'version'
  | 'recipe'
  | 'provider'
  | 'baseModel'
  | 'modelName'
  | 'jobName'
  | 'status'
  | 'deployment'
  | 'datasetManifestUri'
> & {
  /** Since the registry last changed it, by the database's clock. */
  readonly unchangedHours: number;
};

/** How many versions one activity of a sweep looks at. */
export const versionsInPage = 50;

/** Where the page after this one begins; null after the last one. */
export function keyAfter(page: readonly KeptVersion[]): VersionKey | null {
  const last = page.length === versionsInPage ? page.at(-1) : undefined;
  return last ? { model: last.model, version: last.version } : null;
}

/** Looks across every registered model; champions, previous champions and candidates keep what they have. */
export interface Inventory {
  /** The versions that need anything of these names: a trained model, its job, or a deployment. */
  keeping(names: readonly string[]): Promise<KeptVersion[]>;
  /** A page of all of them, in order of model and version. */
  page(after: VersionKey | null, limit: number): Promise<KeptVersion[]>;
  /** Those of one model. */
  ofModel(model: string): Promise<KeptVersion[]>;
  /** Those that were trained on a dataset below a prefix. */
  trainedOn(prefixUri: string): Promise<KeptVersion[]>;
  /** Those that are served on a base model's file below a prefix. */
  convertedOn(prefixUri: string): Promise<KeptVersion[]>;
  /** Hours since a run last built or loaded a dataset below a prefix; null when none did. */
  hoursSinceBuilt(prefixUri: string): Promise<number | null>;
}
