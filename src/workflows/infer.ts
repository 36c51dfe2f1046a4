import type { InferResult, PreparedRequest } from '../activities/inference/activities.js';
import type { AnswerSource } from '../activities/inference/answer.js';
import type { Turn } from '../domain/dataset.js';
import { inferSpecSchema } from '../domain/run-spec.js';
import { parseOrFail, toRunFailure } from './failures.js';
import { inferenceSteps, modelCall, waking } from './proxies.js';

/**
 * One request through the whole path: scoring → model → deterministic functions → guardrails → UI-ready
 * JSON. It always answers: model, one retry that names the fault, phrase bank, safe template.
 */
export async function infer(input: unknown): Promise<InferResult> {
  const spec = parseOrFail(inferSpecSchema, input, 'the input of infer');
  const prepared = await inferenceSteps.prepareInference(spec).catch((error: unknown) => {
    throw toRunFailure(error, 'InvalidInput');
  });
  if (spec.serve === 'base') return answerForComparison(prepared, 'base_model');
  if (spec.serve === 'endpoint') return answerForComparison(prepared, 'endpoint_model');
  return answerForUser(prepared, spec.wake === true);
}

interface Tally {
  inputTokens: number;
  outputTokens: number;
  latencyMs: number;
  timeToFirstTokenMs: number | null;
  tokensPerSecond: number | null;
}

/** Of requests that were prepared before their limit was. */
const usualAnswerSeconds = 4;

function newTally(): Tally {
  return { inputTokens: 0, outputTokens: 0, latencyMs: 0, timeToFirstTokenMs: null, tokensPerSecond: null };
}

async function answerForUser(prepared: PreparedRequest, mayWake: boolean): Promise<InferResult> {
  const usage = newTally();
  const reply = (source: AnswerSource, response: InferResult['response'], fallbackReason: string | null) =>
    toInferResult(prepared, { source, response, fallbackReason, raw: null, usage });

  let reason = prepared.served ? '' : await whyNothingServes(prepared, mayWake);
  let advice: Turn[] = [];
  for (const source of prepared.served ? (['model', 'model_retry'] as const) : []) {
    const asked = await ask(prepared, advice, usage);
    if ('problem' in asked) {
      reason = asked.problem;
      break;
    }
    const checked = await inferenceSteps.checkModelAnswer(prepared, asked.text);
    if ('response' in checked) return reply(source, checked.response, source === 'model' ? null : reason);
    reason = checked.reason;
    advice = [
      { role: 'assistant', text: asked.text },
      { role: 'user', text: checked.advice },
    ];
  }
  const { source, response } = await inferenceSteps.answerWithoutModel(prepared);
  return reply(source, response, reason);
}

/** The champion of an idle model sleeps without a deployment; a request that may wakes it for later ones. */
async function whyNothingServes(prepared: PreparedRequest, mayWake: boolean): Promise<string> {
  if (!prepared.isAsleep) return 'no champion serves this model yet';
  const asleep = `champion version ${prepared.version} has no deployment`;
  if (!mayWake) return `${asleep}; start deploy for it, or ask with "wake": true`;
  try {
    return `${asleep}; workflow ${await waking.wakeChampion(prepared)} is starting one`;
  } catch (error) {
    return `${asleep}, and none could be started: ${toRunFailure(error, 'DeploymentFailed').message}`;
  }
}

/** Another model's answer to the same prompt, as it came: for comparison, not for users. */
async function answerForComparison(prepared: PreparedRequest, source: AnswerSource): Promise<InferResult> {
  const usage = newTally();
  const asked = await ask(prepared, [], usage);
  const problem = 'problem' in asked ? asked.problem : null;
  const raw = 'text' in asked ? asked.text.slice(0, 4000) : null;
  const checked = raw === null ? null : await inferenceSteps.checkModelAnswer(prepared, raw);
  return toInferResult(prepared, {
    source,
    response: checked && 'response' in checked ? checked.response : null,
    fallbackReason: problem ?? (checked && 'reason' in checked ? checked.reason : null),
    raw,
    usage,
  });
}

/** One model call within its budget; a failure is a reason to fall back, never an error for the user. */
async function ask(
  prepared: PreparedRequest,
  extraTurns: readonly Turn[],
  usage: Tally,
): Promise<{ text: string } | { problem: string }> {
  try {
    const answer = await modelCall(
      `Ask ${nameOfServed(prepared)}`,
      prepared.answerSeconds ?? usualAnswerSeconds,
    ).askModel(prepared, extraTurns);
    usage.inputTokens += answer.inputTokens;
    usage.outputTokens += answer.outputTokens;
    usage.latencyMs += answer.latencyMs;
    usage.timeToFirstTokenMs = answer.timeToFirstTokenMs ?? null;
    usage.tokensPerSecond = answer.tokensPerSecond ?? null;
    return { text: answer.text };
  } catch (error) {
    const failure = toRunFailure(error, 'ValidationFailed');
    return { problem: `model unavailable: ${failure.message}` };
  }
}

function nameOfServed({ version, served }: PreparedRequest): string {
  return version === null ? (served?.modelId.slice(0, 100) ?? 'no model') : `version ${version}`;
}

function toInferResult(
  prepared: PreparedRequest,
  answer: Pick<InferResult, 'source' | 'response' | 'fallbackReason' | 'raw' | 'usage'>,
): InferResult {
  const { recipe, model, version, cloud } = prepared;
  return { recipe, model, version, ...answer, cloud };
}
