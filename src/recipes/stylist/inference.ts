import type { JsonObject } from '../../domain/json.js';
import type { RecipeInference } from '../../domain/recipe.js';
import { createSeededRandom } from '../seeded-random.js';
import { asStylistAnswer, parseAnswer } from './answer.js';
import type { Catalogue } from './catalogue.js';
import { composeAnswer } from './phrase-bank.js';
import { writePrompt } from './prompt.js';
import { createRequestReader } from './request.js';
import { buildResponse, type ResponseText, type StylingContext } from './response.js';
import { scoreGarment } from './scoring.js';

/** Score, ask, dress the answer for the app: the same request always gets the same deterministic parts. */
export function createStylistInference(catalogue: Catalogue, text: ResponseText): RecipeInference {
  const requests = createRequestReader(catalogue);
  const respondWith = (context: JsonObject, answer: Parameters<typeof buildResponse>[2], personal = true) =>
    buildResponse({ catalogue, text }, fromContext(context), answer, { personal });
  return {
    prepare: (input) => {
      const request = requests.parse(input);
      const result = scoreGarment(catalogue, request.garment, request.wearer);
      const prompt = writePrompt(catalogue, { garment: request.garment, wearer: request.wearer, result });
      const context = { request, result, prompt } as unknown as JsonObject;
      return { system: catalogue.systemPrompt, turns: [{ role: 'user', text: prompt }], context };
    },
    respond: (context, answer) => {
      const parsed = parseAnswer(answer);
      return 'fault' in parsed
        ? parsed
        : { response: respondWith(context, asStylistAnswer(parsed.document)) };
    },
    phraseBank: (context, attempt) => {
      const { request, result } = fromContext(context);
      const random = createSeededRandom(`stylist/answer/${attempt}/${String(context.prompt)}`);
      return respondWith(context, composeAnswer(catalogue, { garment: request.garment, result, random }));
    },
    safeTemplate: (context) =>
      respondWith(context, text.safeAnswers[fromContext(context).result.verdict], false),
  };
}

/** `prepare` made the context; it only took a way through JSON. */
function fromContext(context: JsonObject): StylingContext {
  return context as unknown as StylingContext;
}
