import { activityInfo, cancellationSignal, getClient } from '@temporalio/activity';
import type { Turn } from '../../domain/dataset.js';
import { PermanentFailure } from '../../domain/failures.js';
import type { JsonObject } from '../../domain/json.js';
import type { Recipe } from '../../domain/recipe.js';
import type { InferSpec } from '../../domain/run-spec.js';
import { choose, type Providers } from '../providers.js';
import type { Registry } from '../registry/registry.js';
import type { DeploymentUsage } from '../usage/deployment-usage.js';
import { type AnswerSource, type CheckedAnswer, checkAnswer, fallback } from './answer.js';
import { endpointName, type ModelAnswer } from './client.js';

/** Tokens that one answer may have; recipes answer in a few hundred. */
const maximumAnswerTokens = 1000;
const usualTemperature = 0.7;
/** As with the other servers that are one's own. */
const endpointAnswerSeconds = 60;

/** A request after scoring: the prompt, and what the functions after the model need. */
export interface PreparedRequest {
  readonly recipe: string;
  readonly model: string;
  readonly version: number | null;
  /** Null when nothing serves: the answer then comes from the phrase bank. */
  readonly served: { readonly target: string; readonly modelId: string } | null;
  readonly system: string | null;
  readonly turns: readonly Turn[];
  readonly context: JsonObject;
  readonly cloud: string;
  /** There is a champion, and no deployment that serves it. */
  readonly isAsleep?: boolean;
  /** Seconds that one model call may take. */
  readonly answerSeconds?: number;
}

/** What `infer` returns. */
export interface InferResult {
  readonly recipe: string;
  readonly model: string;
  readonly version: number | null;
  /** Who wrote the response; `base_model` and `endpoint_model` only in a comparison. */
  readonly source: AnswerSource;
  /** Why it was not the model's first answer; null when it was. */
  readonly fallbackReason: string | null;
  /** UI-ready JSON; null only in a comparison whose answer is unusable. */
  readonly response: JsonObject | null;
  /** The unchecked answer in a comparison, for engineers; never for users. */
  readonly raw: string | null;
  /** `sandbox` where the model is simulated. */
  readonly cloud: string;
  readonly usage: {
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly latencyMs: number;
    /** Of the last model call; null where the server does not stream. */
    readonly timeToFirstTokenMs: number | null;
    readonly tokensPerSecond: number | null;
  };
}

export type InferenceActivities = ReturnType<typeof createInferenceActivities>;

export interface InferenceDependencies {
  readonly recipes: ReadonlyMap<string, Recipe>;
  readonly providers: Providers;
  readonly registry: Registry;
  readonly usage: DeploymentUsage;
  readonly cloud: string;
}

/** Withdraws the question at the activity's own limit: an answer that nobody waits for any more keeps a server busy. */
async function withinTime<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limitMs = activityInfo().startToCloseTimeoutMs;
  const limit = AbortSignal.timeout(limitMs);
  try {
    return await ask(AbortSignal.any([cancellationSignal(), limit]));
  } catch (error) {
    if (limit.aborted) throw new Error(`no answer within ${limitMs / 1000} seconds`, { cause: error });
    throw error;
  }
}

export function createInferenceActivities(dependencies: InferenceDependencies) {
  const { recipes, providers, registry, usage, cloud } = dependencies;
  const inferenceOf = (name: string) => {
    const { inference } = choose(recipes, name, 'recipe');
    if (inference) return inference;
    throw new PermanentFailure('InvalidInput', `InvalidInput: recipe: "${name}" has no inference path.`);
  };

  return {
    async prepareInference(spec: InferSpec): Promise<PreparedRequest> {
      const recipe = choose(recipes, spec.recipe, 'recipe');
      const { system, turns, context } = inferenceOf(spec.recipe).prepare(spec.request);
      const model = spec.model ?? recipe.name;
      const champion = await registry.champion(model);
      const target = champion?.deployment?.target ?? recipe.defaults.deployment.target;
      const serve = spec.serve ?? 'champion';
      const served = {
        champion: champion?.deployment ? { target, modelId: champion.deployment.deploymentId } : null,
        base: { target, modelId: champion?.baseModel ?? recipe.defaults.training.baseModel },
        endpoint: { target: endpointName, modelId: spec.endpointModel ?? '' },
      }[serve];
      return {
        recipe: recipe.name,
        model,
        version: serve === 'champion' ? (champion?.version ?? null) : null,
        served,
        system,
        turns,
        context,
        cloud,
        answerSeconds:
          spec.answerSeconds ??
          recipe.answerSeconds ??
          (serve === 'endpoint'
            ? endpointAnswerSeconds
            : choose(providers.targets, target, 'deployment.target').answerSeconds),
        isAsleep: serve === 'champion' && champion !== null && champion.deployment === null,
      };
    },

    async askModel(prepared: PreparedRequest, extraTurns: readonly Turn[]): Promise<ModelAnswer> {
      const { served } = prepared;
      if (!served) throw new PermanentFailure('InvalidInput', `Nothing serves model "${prepared.model}".`);
      if (prepared.version !== null) usage.note(served.modelId);
      const { answerSchema, serving } = choose(recipes, prepared.recipe, 'recipe');
      const client = choose(providers.inference, served.target, 'deployment.target');
      const question = {
        modelId: served.modelId,
        system: prepared.system,
        turns: [...prepared.turns, ...extraTurns],
        maxTokens: serving?.maximumAnswerTokens ?? maximumAnswerTokens,
        temperature: serving?.temperature ?? usualTemperature,
        answerSchema,
      };
      return withinTime((signal) => client.ask(question, signal));
    },

    /** Has `deploy` bring a sleeping champion back as it was; one start, however many requests ask for it. */
    async wakeChampion({ model, version }: PreparedRequest): Promise<string> {
      const workflowId = `deploy/${model}`;
      const release = version === null ? null : await usage.lastRelease(model, version);
      const deployment = release && { target: release.target, settings: release.settings };
      await getClient().workflow.start('deploy', {
        workflowId,
        taskQueue: activityInfo().taskQueue,
        workflowIdConflictPolicy: 'USE_EXISTING',
        args: [{ model, version, ...(deployment && { deployment }) }],
        staticSummary: `Wake ${model} version ${version}`,
      });
      return workflowId;
    },

    async checkModelAnswer(prepared: PreparedRequest, answer: string): Promise<CheckedAnswer> {
      const recipe = choose(recipes, prepared.recipe, 'recipe');
      return checkAnswer(recipe, inferenceOf(prepared.recipe), prepared.context, answer);
    },

    async answerWithoutModel(
      prepared: PreparedRequest,
    ): Promise<{ source: AnswerSource; response: JsonObject }> {
      const recipe = choose(recipes, prepared.recipe, 'recipe');
      return fallback(recipe, inferenceOf(prepared.recipe), prepared.context);
    },
  };
}
