import { describe, expect, it } from 'vitest';
import {
  decideParity,
  decisiveFindings,
  defaultTolerances,
  type FileMeasurement,
  fileRow,
  type ParityReference,
  parityCells,
  type RuntimeSettings,
  servedRow,
  trainedRow,
} from '../../src/domain/parity.js';

const settings: RuntimeSettings = {
  chatTemplateSha256: 'aa11',
  bosTokenId: 1,
  eosTokenId: 2,
  contextLength: 8192,
};
const answerTokens = [10, 11, 12, 13, 14, 15, 16, 17, 18, 2];
const reference: ParityReference = {
  settings,
  answers: ['first', 'second'].map((id) => ({
    id,
    promptTokens: [1, 5, 6],
    answerTokens,
    logLikelihood: -1,
    endsTurn: true,
    text: '{"colour": "red"}',
  })),
};
const trained = { jsonValid: 1, score: 1 };

function measured(change: Partial<FileMeasurement> = {}): FileMeasurement {
  const answers = reference.answers.map(({ id, promptTokens, logLikelihood, text }) => ({
    id,
    promptTokens,
    chosenTokens: answerTokens,
    logLikelihood,
    text,
  }));
  return { format: 'q8_0', settings, problem: null, answers, ...change };
}

function rowOf(file: FileMeasurement, quality = trained, decides = true) {
  return fileRow({ reference, trained, file, quality, tolerance: defaultTolerances.q8_0, decides });
}

const answersWith = (change: object) => measured().answers.map((answer) => ({ ...answer, ...change }));

describe('what a converted file may differ in', () => {
  it('a file that does what was trained has no finding, and passes', () => {
    const row = rowOf(measured());
    expect(row).toMatchObject({ samePrompts: 2, agreement: 1, findings: [] });
    expect(row.perplexity).toBeCloseTo(Math.exp(0.1));
    expect(decideParity([trainedRow(reference, trained), row])).toBe('passed');
  });

  it('a small loss is allowed to a quantised file', () => {
    const chosenTokens = answerTokens.with(4, 99);
    const answers = [
      { ...measured().answers[0], chosenTokens, logLikelihood: -1.2 },
      measured().answers[1],
    ] as FileMeasurement['answers'];
    expect(rowOf(measured({ answers }))).toMatchObject({ agreement: 0.95, findings: [] });
  });

  it.each([
    [
      'chatTemplateSha256',
      null,
      /q8_0: chatTemplateSha256 is missing in the file, and aa11 in the trained model.*Remedy: put the base model's own template back/,
    ],
    ['eosTokenId', 5, /q8_0: eosTokenId is 5 in the file, and 2 in the trained model.*Remedy: convert again/],
    ['contextLength', 64, /q8_0: contextLength is 64 in the file, and 8192 in .*max_position_embeddings/],
  ] as const)('another %s is named, with both values and the remedy', (name, value, message) => {
    const row = rowOf(measured({ settings: { ...settings, [name]: value } }));
    expect(row.findings).toEqual([expect.stringMatching(message)]);
    expect(decideParity([row])).toBe('failed');
  });

  it('a prompt in other tokens is named with the place where it parts', () => {
    const [finding] = rowOf(measured({ answers: answersWith({ promptTokens: [5, 6] }) })).findings;
    expect(finding).toMatch(
      /prompt first has token 5 at place 1, and token 1 in training \(2 of 2 prompts differ\).*Remedy/,
    );
  });

  it('answers that the file finds unlikely point to other weights, where settings and prompts are the same', () => {
    const answers = answersWith({ chosenTokens: [], logLikelihood: -60 });
    expect(rowOf(measured({ answers })).findings).toEqual([
      expect.stringMatching(/chooses 0 % of the trained model's answer tokens; at least 85 % is required/),
      expect.stringMatching(
        /is 403.4, 365 times that in training; at most 1.05 times.*Remedy: name the base model/,
      ),
    ]);
  });

  it('answers a little less likely point to the quantization', () => {
    const [finding] = rowOf(measured({ answers: answersWith({ logLikelihood: -2 }) })).findings;
    expect(finding).toMatch(/1\.11 times that in training.*Remedy: choose a quantization that loses less/);
  });

  it('a fall of valid JSON, and of the score, is named', () => {
    expect(rowOf(measured(), { jsonValid: 0.5, score: 0.75 }).findings).toEqual([
      expect.stringMatching(/50 % of the answers are JSON, and 100 % of the trained model's/),
      expect.stringMatching(/its answers score 75 %, and the trained model's 100 %/),
    ]);
  });

  it('a file that cannot be read fails with the reason', () => {
    const row = rowOf(measured({ settings: null, problem: 'no whole GGUF file', answers: [] }));
    expect(row).toMatchObject({
      agreement: null,
      findings: ['q8_0: could not be asked: no whole GGUF file'],
    });
    expect(decideParity([row])).toBe('failed');
  });

  it('a NaN never passes', () => {
    const row = rowOf(measured({ answers: answersWith({ logLikelihood: Number.NaN }) }));
    expect(decideParity([row])).toBe('failed');
  });

  it('what is only compared never rejects', () => {
    const other = rowOf(measured({ answers: answersWith({ logLikelihood: -60 }) }), trained, false);
    expect(other.findings).toHaveLength(1);
    expect(decideParity([rowOf(measured()), other])).toBe('passed');
    expect(decisiveFindings([rowOf(measured()), other])).toEqual([]);
    expect(parityCells(other).at(-1)).toBe('differs (for comparison)');
  });

  it('nothing asked is no proof', () => {
    const nothing = { settings, answers: [] };
    const row = fileRow({
      reference: nothing,
      trained,
      file: measured({ answers: [] }),
      quality: trained,
      tolerance: { ...defaultTolerances.q8_0, agreement: 0 },
      decides: true,
    });
    expect(decideParity([{ ...row, findings: [] }])).toBe('error');
  });
});

describe('what a deployment may differ in', () => {
  const served = (
    change: { inputTokens?: number; text?: string },
    problem: string | null = null,
    file = measured(),
  ) =>
    servedRow({
      reference,
      file,
      answers: reference.answers.map(({ id, text }) => ({ id, inputTokens: 3, text, ...change })),
      quality: trained,
      problem,
    });

  it('one that answers as its file has no finding', () => {
    expect(served({})).toMatchObject({ samePrompts: 2, agreement: 1, findings: [] });
  });

  it('a prompt of another length is named: the server has added or lost tokens', () => {
    expect(served({ inputTokens: 4 }).findings).toEqual([
      expect.stringMatching(/served: prompt first has 4 tokens there, and 3 in training.*Remedy/),
    ]);
  });

  it('other answers than those of its file are named', () => {
    expect(served({ text: 'Sure! Here is' }).findings).toEqual([
      expect.stringMatching(/share 0 % with what its own file answers .*; at least 90 % is required.*Remedy/),
    ]);
  });

  it('an answer may go another way where the file itself hesitates, and not before', () => {
    const hesitating = measured({ answers: answersWith({ certainText: '{"colour": "' }) });
    expect(served({ text: '{"colour": "blue", "why"' }, null, hesitating)).toMatchObject({
      agreement: 1,
      findings: [],
    });
    const { agreement, findings } = served({ text: '{"size": 3}' }, null, hesitating);
    expect(agreement).toBeCloseTo(2 / 12);
    expect(findings).toHaveLength(1);
  });

  it('an answer that goes on after the end of a certain one differs', () => {
    const certain = measured({ answers: answersWith({ certainText: '{"colour": "red"}' }) });
    expect(served({ text: '{"colour": "red"}' }, null, certain).findings).toEqual([]);
    expect(served({ text: '{"colour": "red"}, and so on' }, null, certain).findings).toHaveLength(1);
  });

  it('where the file hesitates at every first word, whole answers are compared', () => {
    const hesitating = measured({ answers: answersWith({ certainText: '' }) });
    expect(served({}, null, hesitating)).toMatchObject({ agreement: 1, findings: [] });
    expect(served({ text: 'Sure! Here is' }, null, hesitating).findings).toHaveLength(1);
  });

  it('a refusal is named', () => {
    const refusal = 'the prompt has 600 tokens; allowed: fewer than 512';
    expect(served({}, refusal).findings).toEqual([`served: could not be asked: ${refusal}`]);
  });
});
