import type { DatasetProblem } from '../dataset.js';

/** A problem as one sentence for people: where it is, what was found and what to do. */
export function formatProblem(problem: DatasetProblem): string {
  const place =
    problem.key === undefined
      ? `${problem.file}:${problem.line} (byte ${problem.byteOffset})`
      : `${problem.file} ${problem.key} (row ${problem.line})`;
  return `${place} ${problem.code}: ${withFullStop(problem.message)} ${withFullStop(problem.remedy)}`.trim();
}

/** A text cut to a readable length on one line; quoted user data in messages always passes through here. */
export function excerpt(text: string, length = 60): string {
  const line = text
    .slice(0, length * 4)
    .replace(/[\p{Cc}\p{Cs}\s]+/gu, ' ')
    .trim();
  const characters = Array.from(line);
  const isWhole = characters.length <= length && text.length <= length * 4;
  return isWhole ? line : `${characters.slice(0, length).join('')}…`;
}

function withFullStop(text: string): string {
  return text === '' || /[.!?…]$/.test(text) ? text : `${text}.`;
}
