import { cancellationSignal } from '@temporalio/activity';
import type { ModelVersion } from '../../domain/model-version.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import type { Author, Registry } from '../registry/registry.js';
import { keepAlive } from '../waiting.js';
import type { Converter } from './converter.js';

export interface ConvertModelInput {
  readonly version: ModelVersion;
  readonly conversion: NonNullable<ResolvedRunSpec['conversion']>;
  readonly author: Author;
}

export type ConversionActivities = ReturnType<typeof createConversionActivities>;

export interface ConversionDependencies {
  readonly converter: Converter;
  readonly registry: Registry;
}

export function createConversionActivities({ converter, registry }: ConversionDependencies) {
  return {
    /** Converts a version's model, and remembers the file; the version returned has it as its artifact. */
    async convertModel({ version, conversion, author }: ConvertModelInput): Promise<ModelVersion> {
      let doing = 'waits for the machine';
      const { modelId, modelName, baseModel } = version;
      const { quantization, form } = conversion;
      const artifact = await keepAlive(
        () =>
          converter.convert(
            { modelId, modelName, baseModel, quantization, form },
            (text) => {
              doing = text;
            },
            cancellationSignal(),
          ),
        () => doing,
      );
      await registry.recordArtifact(author, version.model, version.version, artifact);
      return { ...version, artifact };
    },
  };
}
