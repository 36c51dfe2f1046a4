import { readFileSync } from 'node:fs';
import { AwsError, notFoundError, validationError } from '../api/error.js';
import { findBaseModel } from '../bedrock/base-models.js';
import { jobOf } from '../bedrock/custom-models.js';
import { jobFiles } from '../bedrock/job-files.js';
import { throughputStatus } from '../bedrock/provisioned-throughput.js';
import type { ModelRecord } from '../bedrock/records.js';
import { type LanguageModel, loadBaseModel, loadModel } from '../learner/index.js';
import { servedModelArn } from '../state.js';
import type { World } from '../world.js';

/** Who answers a request, and how it is billed. */
export interface ServedModel {
  readonly model: LanguageModel;
  /** What sampling is seeded with: the trained model's hash, or the base model's name. */
  readonly digest: string;
  /** The deployment's or throughput's ARN, or the base model's identifier. */
  readonly resource: string;
  readonly baseModel: string;
  /** A throughput's hours cover its tokens. */
  readonly isBilledByToken: boolean;
}

const mostLoaded = 8;

/** Finds and loads the model behind an identifier, as Bedrock Runtime would. */
export class ServedModels {
  readonly #loaded = new Map<string, LanguageModel>();
  #base: LanguageModel | null = null;

  constructor(private readonly world: World) {}

  find(identifier: string): ServedModel {
    if (identifier.includes(':custom-model-deployment/')) return this.#deployment(identifier);
    if (/:provisioned-model\//.test(identifier)) return this.#throughput(identifier);
    if (identifier.includes(':custom-model/')) {
      throw validationError(
        `Invocation of the custom model ${identifier} itself isn't supported. Create a custom model deployment or provisioned throughput, and invoke that.`,
      );
    }
    const base = findBaseModel(identifier);
    if (!base) throw validationError(`The provided model identifier ${identifier} is invalid.`);
    if (base.suffixed && this.world.settings.readings.suffixedBaseModelOnDemand === 'validation-error') {
      throw validationError(
        `Invocation of model ID ${identifier} with on-demand throughput isn't supported. Use ${base.model.inferenceId}.`,
      );
    }
    return this.#serveBase(base.model.id, base.model.inferenceId, true);
  }

  #deployment(arn: string): ServedModel {
    const now = this.world.now();
    const deployment = this.world.state.deployments.get(arn);
    if (!deployment || (deployment.goneAt !== null && now >= deployment.goneAt)) {
      throw notFoundError(`There is no custom model deployment ${arn}.`);
    }
    this.#assertServing(deployment);
    return this.#serveCustom(servedModelArn(deployment, now), arn, true);
  }

  #throughput(arn: string): ServedModel {
    const now = this.world.now();
    const throughput = this.world.state.throughputs.get(arn);
    if (!throughput || throughput.deletedAt !== null) {
      throw notFoundError(`There is no provisioned throughput ${arn}.`);
    }
    this.#assertServing(throughput);
    const status = throughputStatus(throughput, now);
    const mayAnswer =
      status === 'InService' ||
      (status === 'Updating' && this.world.settings.readings.invokeWhileUpdating === 'old-model');
    if (!mayAnswer) throw notReady(`The provisioned throughput ${throughput.name} is ${status}.`);
    const modelArn = servedModelArn(throughput, now);
    return modelArn.includes(':custom-model/')
      ? this.#serveCustom(modelArn, arn, false)
      : this.#serveBase(throughput.baseModel, arn, false);
  }

  /** Nothing answers before it is ready, nor for a while after, as the readings have it; see 16 and 35. */
  #assertServing({ name, arn, readyAt }: { name: string; arn: string; readyAt: number }): void {
    const { invokeWhileCreating, servingLagMinutes } = this.world.settings.readings;
    if (this.world.now() >= readyAt + servingLagMinutes * 60_000) return;
    if (invokeWhileCreating === 'not-found') throw notFoundError(`There is no model ${arn}.`);
    if (invokeWhileCreating === 'validation-error')
      throw validationError(`${arn} is not ready to be invoked.`);
    throw notReady(`${name} is still being created.`);
  }

  #serveBase(baseModel: string, resource: string, isBilledByToken: boolean): ServedModel {
    this.#base ??= loadBaseModel();
    return { model: this.#base, digest: baseModel, resource, baseModel, isBilledByToken };
  }

  #serveCustom(modelArn: string, resource: string, isBilledByToken: boolean): ServedModel {
    const record = this.world.state.models.get(modelArn);
    if (!record) throw notFoundError(`There is no custom model ${modelArn}.`);
    const { digest, baseModel } = record;
    return { model: this.#load(record), digest, resource, baseModel, isBilledByToken };
  }

  #load(record: ModelRecord): LanguageModel {
    const known = this.#loaded.get(record.arn);
    if (known) return known;
    const model = loadModel(readFileSync(jobFiles(this.world, jobOf(this.world, record)).model));
    if (this.#loaded.size >= mostLoaded) this.#loaded.delete(this.#loaded.keys().next().value ?? '');
    this.#loaded.set(record.arn, model);
    return model;
  }
}

function notReady(message: string): AwsError {
  return new AwsError('ModelNotReadyException', `${message} Try again later.`);
}
