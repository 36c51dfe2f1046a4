import { formOf } from '../../domain/artifact.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { ModelVersion } from '../../domain/model-version.js';
import type { ResolvedRunSpec, RunSpec, VersionSpec } from '../../domain/run-spec.js';
import type { Registry } from '../registry/registry.js';
import { type ResolveDependencies, type RunIdentity, resolveRunSpec } from './resolve.js';

export interface ResolvedVersion {
  readonly spec: ResolvedRunSpec;
  readonly version: ModelVersion;
}

export type RunSpecActivities = ReturnType<typeof createRunSpecActivities>;

export function createRunSpecActivities(dependencies: ResolveDependencies & { registry: Registry }) {
  return {
    async resolveRunSpec(input: RunSpec, identity: RunIdentity): Promise<ResolvedRunSpec> {
      return resolveRunSpec(input, identity, dependencies);
    },

    /** For the workflows that work on a version which exists already. */
    async resolveVersionSpec(
      input: VersionSpec,
      identity: RunIdentity,
      which: 'newest' | 'previous-champion',
    ): Promise<ResolvedVersion> {
      const version = await findVersion(dependencies.registry, input, which);
      const spec = resolveRunSpec(
        {
          recipe: version.recipe,
          model: version.model,
          dataset: { source: { kind: 'manifest', uri: version.datasetManifestUri } },
          training: { provider: version.provider, baseModel: version.baseModel },
          deployment:
            input.deployment ?? (version.deployment ? { target: version.deployment.target } : undefined),
          conversion:
            input.conversion ??
            (version.artifact
              ? { quantization: version.artifact.quantization, form: formOf(version.artifact) }
              : undefined),
          validation: input.validation,
          onRunning: input.onRunning,
          waiting: input.waiting,
          deadlines: input.deadlines,
        },
        identity,
        dependencies,
      );
      return { spec, version };
    },
  };
}

async function findVersion(
  registry: Registry,
  input: VersionSpec,
  which: 'newest' | 'previous-champion',
): Promise<ModelVersion> {
  const versions = await registry.versions(input.model);
  const known = versions.map(({ version }) => version).join(', ') || 'none';
  const found =
    input.version !== undefined
      ? versions.find(({ version }) => version === input.version)
      : which === 'newest'
        ? versions.toSorted((a, b) => b.version - a.version)[0]
        : versions.find(({ status }) => status === 'previous');
  if (found) return found;
  const wanted =
    input.version !== undefined
      ? `version ${input.version} of model "${input.model}"`
      : which === 'newest'
        ? `version of model "${input.model}"`
        : `previous champion of model "${input.model}"`;
  throw new PermanentFailure(
    'InvalidInput',
    `InvalidInput: ${input.version === undefined ? 'model' : 'version'}: there is no ${wanted}; known versions: ${known}.`,
  );
}
