import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PermanentFailure } from '../../../domain/failures.js';
import type { JsonObject } from '../../../domain/json.js';
import { type ChatTemplate, refuseControlTexts, renderPrompt } from '../chat-prompt.js';
import type { ModelQuestion } from '../client.js';
import { startStopwatch } from '../speed.js';
import {
  type FollowedAnswer,
  type LlamaEngine,
  type LoadedModel,
  type ModelToLoad,
  throwIfWithdrawn,
} from './engine.js';

/** What is used of `node-llama-cpp`; it is no dependency of the project, so its own types are not there. */
interface Library {
  getLlama(options: Readonly<Record<string, unknown>>): Promise<Llama>;
  readonly LlamaGrammarEvaluationState: new (options: { model: Model; grammar: Grammar }) => GrammarState;
}

interface Llama {
  loadModel(options: { modelPath: string }): Promise<Model>;
  createGrammarForJsonSchema(schema: JsonObject): Promise<Grammar>;
}

/** The library's own objects, passed on as they are. */
type Grammar = { readonly grammar: string };
type GrammarState = object;

type Token = number;

interface Model {
  readonly fileInfo: { readonly metadata: { readonly tokenizer?: { readonly chat_template?: string } } };
  readonly trainContextSize: number;
  readonly tokens: { readonly bosString: string | null; readonly eosString: string | null };
  createContext(options: {
    contextSize: number;
    sequences: 1;
    threads: number;
    lora?: { adapters: readonly { filePath: string; scale: number }[] };
  }): Promise<Context>;
  tokenize(text: string, specialTokens: boolean): Token[];
  detokenize(tokens: readonly Token[], specialTokens: boolean, lastTokens?: readonly Token[]): string;
  getTokenAttributes(token: Token): { readonly control: boolean };
  dispose(): Promise<void>;
}

interface Context {
  readonly contextSize: number;
  getSequence(): Sequence;
}

interface Sequence {
  clearHistory(): Promise<void>;
  evaluate(
    tokens: Token[],
    options: { temperature: number; seed: number; grammarEvaluationState?: GrammarState },
  ): AsyncGenerator<Token>;
  evaluateWithoutGeneratingNewTokens(tokens: Token[]): Promise<void>;
  controlledEvaluate(
    input: readonly (Token | [Token, { generateNext: typeof everyProbability }])[],
  ): Promise<({ next: { probabilities?: ReadonlyMap<Token, number> } } | undefined)[]>;
}

/** Of all tokens, untouched by any sampling; the most probable comes first. */
const everyProbability = { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } };

/**
 * A model hesitates where a second token is so likely, measured by the first: which of them it says is decided by the
 * last digits, and those depend on how many tokens were computed at once, on threads, and on the build of llama.cpp.
 */
const hesitation = 0.8;

/** What rounds to zero, or is no token of this model, still counts. */
const leastProbability = 1e-10;

interface Installation {
  readonly library: Library;
  readonly llama: Llama;
}

/** Tokens of a prompt between two looks at whether its question was withdrawn. */
const promptChunkTokens = 128;

/** llama.cpp through node-llama-cpp, as `anneal setup local` installs it in `<home>/local/node`. */
export function createNodeLlamaCppEngine({ home }: { readonly home: string }): LlamaEngine {
  const folder = join(home, 'local', 'node');
  let installation: Promise<Installation> | null = null;

  return {
    findMissing() {
      const stamps = ['node', 'quantiser'].map((part) => join(home, 'local', part, '.anneal-installed.json'));
      if (stamps.every((stamp) => existsSync(stamp))) return null;
      return `node-llama-cpp is not installed in ${folder}; run \`anneal setup local\``;
    },

    async load(model) {
      installation ??= open(folder);
      const opened = await installation.catch((error: unknown) => {
        installation = null;
        throw error;
      });
      return load(opened, model);
    },
  };
}

async function open(folder: string): Promise<Installation> {
  const path = join(folder, 'node_modules', 'node-llama-cpp', 'dist', 'index.js');
  const library = (await import(pathToFileURL(path).href)) as Library;
  const isApple = process.platform === 'darwin' && process.arch === 'arm64';
  const llama = await library.getLlama({
    gpu: isApple ? 'metal' : false,
    // Neither a compiler nor a download starts inside a worker.
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: 'error',
    // Each context says for itself how many threads it takes.
    maxThreads: 0,
  });
  return { library, llama };
}

async function load(
  installation: Installation,
  { path, adapterPath, contextTokens, threads }: ModelToLoad,
): Promise<LoadedModel> {
  const model = await installation.llama.loadModel({ modelPath: path });
  try {
    const template = model.fileInfo.metadata.tokenizer?.chat_template;
    if (!template) throw refused(`${path} carries no chat template. Convert the model again`);
    const { bosString, eosString } = model.tokens;
    const chat: ChatTemplate = { template, beginText: bosString ?? '', endText: eosString ?? '' };
    const contextSize = Math.min(contextTokens, model.trainContextSize);
    const context = await model.createContext({
      contextSize,
      sequences: 1,
      threads,
      ...(adapterPath !== undefined && { lora: { adapters: [{ filePath: adapterPath, scale: 1 }] } }),
    });
    const sequence = context.getSequence();
    return {
      async answer(question, signal) {
        const prompt = toPrompt(model, chat, question);
        const grammarEvaluationState = await constrain(installation, model, question.answerSchema);
        const options = { ...question, grammarEvaluationState, contextTokens: context.contextSize };
        return answer(model, sequence, prompt, options, signal);
      },
      follow: (question, given, signal) =>
        follow(model, sequence, context.contextSize, toPrompt(model, chat, question), given, signal),
      dispose: () => model.dispose(),
    };
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

function toPrompt(
  model: Model,
  chat: ChatTemplate,
  question: Pick<ModelQuestion, 'system' | 'turns'>,
): Token[] {
  refuseControlTexts(question, (text) => findControl(model, text));
  return model.tokenize(renderPrompt(chat, question), true);
}

function findControl(model: Model, text: string): string | undefined {
  const control = model.tokenize(text, true).find((token) => model.getTokenAttributes(token).control);
  return control === undefined ? undefined : model.detokenize([control], true);
}

async function constrain(
  { library, llama }: Installation,
  model: Model,
  schema: JsonObject | undefined,
): Promise<GrammarState | undefined> {
  if (schema === undefined) return undefined;
  const grammar = await llama.createGrammarForJsonSchema(schema);
  return new library.LlamaGrammarEvaluationState({ model, grammar });
}

interface AnswerOptions extends Pick<ModelQuestion, 'maxTokens' | 'temperature'> {
  readonly contextTokens: number;
  readonly grammarEvaluationState: GrammarState | undefined;
}

async function answer(
  model: Model,
  sequence: Sequence,
  prompt: Token[],
  { maxTokens, temperature, contextTokens, grammarEvaluationState }: AnswerOptions,
  signal: AbortSignal | undefined,
) {
  const stopwatch = startStopwatch();
  const room = contextTokens - prompt.length;
  if (room <= 0) throw tooLong(prompt, contextTokens);
  // What an earlier question has left could change the last digits, and with them the answer.
  await sequence.clearHistory();
  const last = prompt.length - 1;
  for (let start = 0; start < last; start += promptChunkTokens) {
    throwIfWithdrawn(signal);
    const chunk = prompt.slice(start, Math.min(start + promptChunkTokens, last));
    await sequence.evaluateWithoutGeneratingNewTokens(chunk);
  }
  const tokens: Token[] = [];
  const limit = Math.min(maxTokens, room);
  // The library takes the time for a seed: questions of the same moment would all get one answer.
  const options = { temperature, seed: randomInt(2 ** 32), grammarEvaluationState };
  // Ends by itself where the model ends its turn.
  for await (const token of sequence.evaluate(prompt.slice(last), options)) {
    throwIfWithdrawn(signal);
    stopwatch.note();
    tokens.push(token);
    if (tokens.length >= limit) break;
  }
  return {
    text: model.detokenize(tokens, false, prompt.slice(-8)),
    stopReason: tokens.length >= limit ? 'max_tokens' : 'end_turn',
    inputTokens: prompt.length,
    outputTokens: tokens.length,
    ...stopwatch.measure(tokens.length),
  };
}

async function follow(
  model: Model,
  sequence: Sequence,
  contextTokens: number,
  prompt: Token[],
  given: readonly Token[],
  signal: AbortSignal | undefined,
): Promise<FollowedAnswer> {
  const input = [...prompt, ...given.slice(0, -1)];
  if (input.length > contextTokens) throw tooLong(input, contextTokens);
  throwIfWithdrawn(signal);
  await sequence.clearHistory();
  const first = prompt.length - 1;
  const evaluated = await sequence.controlledEvaluate(
    input.map((token, index) => (index < first ? token : [token, { generateNext: everyProbability }])),
  );
  const chosenTokens: Token[] = [];
  let logLikelihood = 0;
  let certain = given.length;
  for (const [index, token] of given.entries()) {
    const probabilities: ReadonlyMap<Token, number> =
      evaluated[first + index]?.next.probabilities ?? new Map();
    const [[chosen, most] = [-1, 0], [, second] = [-1, 0]] = probabilities;
    chosenTokens.push(chosen);
    logLikelihood += Math.log(Math.max(probabilities.get(token) ?? 0, leastProbability));
    if (chosen !== token || second >= hesitation * most) certain = Math.min(certain, index);
  }
  const textOf = (tokens: readonly Token[]) => model.detokenize(tokens, false, prompt.slice(-8));
  const [text, certainText] = [textOf(given), textOf(given.slice(0, certain))];
  return { promptTokens: prompt, chosenTokens, logLikelihood, text, certainText };
}

function tooLong(prompt: readonly Token[], contextTokens: number): PermanentFailure {
  return refused(
    `the prompt has ${prompt.length} tokens; allowed: fewer than ${contextTokens}, the deployment's contextTokens`,
  );
}

function refused(reason: string): PermanentFailure {
  return new PermanentFailure('ProviderRejected', `ProviderRejected: ${reason}.`);
}
