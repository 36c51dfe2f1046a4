import { beforeAll, describe, expect, test } from 'vitest';
import type { InferenceClient, ModelQuestion } from '../../src/activities/inference/client.js';

export interface InferenceClientFixture {
  readonly client: InferenceClient;
  /** Something that answers. */
  readonly modelId: string;
  /** Well-formed, but of nothing that exists. */
  readonly unknownModelId: string;
  readonly question: Pick<ModelQuestion, 'system' | 'turns'>;
}

/** Holds every inference client to its promises. */
export function describeInferenceClient(name: string, setup: () => Promise<InferenceClientFixture>): void {
  describe(`inference client: ${name}`, () => {
    let fixture: InferenceClientFixture;
    let question: ModelQuestion;
    beforeAll(async () => {
      fixture = await setup();
      question = { ...fixture.question, modelId: fixture.modelId, maxTokens: 500, temperature: 0 };
    });

    test('answers with text, what it counted and how long it took', async () => {
      const answer = await fixture.client.ask(question);
      expect(answer.text.length).toBeGreaterThan(0);
      expect(answer.inputTokens).toBeGreaterThan(0);
      expect(answer.outputTokens).toBeGreaterThan(0);
      expect(answer.stopReason).not.toBe('');
      expect(answer.latencyMs).toBeGreaterThanOrEqual(0);
    });

    test('answers the same question the same way at temperature 0', async () => {
      const [first, second] = await Promise.all([fixture.client.ask(question), fixture.client.ask(question)]);
      expect(second.text).toBe(first.text);
    });

    test('keeps to the limit of tokens and says that it did', async () => {
      const answer = await fixture.client.ask({ ...question, maxTokens: 1 });
      expect(answer.outputTokens).toBe(1);
      expect(answer.stopReason).toBe('max_tokens');
    });

    test('refuses for good what does not exist or can never be answered', async () => {
      await expect(
        fixture.client.ask({ ...question, modelId: fixture.unknownModelId }),
      ).rejects.toMatchObject({
        type: 'ProviderRejected',
        message: expect.stringContaining(fixture.unknownModelId),
      });
      await expect(fixture.client.ask({ ...question, turns: [] })).rejects.toMatchObject({
        type: 'ProviderRejected',
      });
    });

    test('stops asking when it is told to', async () => {
      const cancelled = AbortSignal.abort();
      await expect(fixture.client.ask(question, cancelled)).rejects.toMatchObject({ name: 'AbortError' });
    });
  });
}
