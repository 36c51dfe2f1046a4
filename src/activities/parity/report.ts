import type { EvaluationCase, Verdict } from '../../domain/evaluation/evaluation.js';
import {
  type FileMeasurement,
  type ParityPlan,
  type ParityReference,
  type ParityRow,
  parityCells,
  parityHead,
} from '../../domain/parity.js';
import { markdown, markdownBlock } from '../validation/report/text.js';

/** What was measured of a converted model, kept beside its file: what serves it is compared with this later. */
export interface StoredParity {
  readonly schema: 'parity/v1';
  readonly model: string;
  readonly version: number;
  /** Of the file that was measured. */
  readonly artifactSha256: string;
  /** Of the base model's file, where that one is an adapter. */
  readonly baseSha256?: string;
  readonly plan: ParityPlan;
  readonly questions: readonly EvaluationCase[];
  readonly reference: ParityReference;
  readonly files: readonly FileMeasurement[];
  readonly rows: readonly ParityRow[];
  readonly verdict: Verdict;
}

/** Beside the file, so that it goes with the model. */
export function parityUri(artifactUri: string): string {
  return `${artifactUri}.parity.json`;
}

/** The table, what differs, and the answers side by side. */
export function renderParityMarkdown(parity: StoredParity): string {
  const { model, version, rows, verdict, plan, questions } = parity;
  const findings = rows.flatMap((row) => row.findings);
  return `${[
    `# Parity of ${markdown(model)} version ${version}: ${verdict}`,
    `${questions.length} golden prompts, the first ${plan.answerTokens} tokens of each answer, greedy.`,
    parityTable(rows),
    findings.length === 0 ? 'Nothing differs by more than is allowed.' : '## What differs',
    findings.map((finding) => `- ${markdown(finding)}`).join('\n'),
    '## Answers',
    ...questions.map((question, index) => answersTo(parity, question, index)),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}

function parityTable(rows: readonly ParityRow[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(parityHead),
    line(parityHead.map(() => '---')),
    ...rows.map((row) => line(parityCells(row).map(markdown))),
  ].join('\n');
}

function answersTo({ reference, files }: StoredParity, question: EvaluationCase, index: number): string {
  const texts = [
    ['trained', reference.answers[index]?.text],
    ...files.map(({ format, answers }) => [format, answers[index]?.text]),
  ] as const;
  return [
    `### ${markdown(question.id)}`,
    markdownBlock(question.turns.at(-1)?.text ?? ''),
    ...texts.map(([runtime, text]) => `${runtime}:\n\n${markdownBlock(text ?? '(no answer)')}`),
  ].join('\n\n');
}
