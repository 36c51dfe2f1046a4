import type { TrainingExample } from '../../src/sandbox/learner/index.js';
import { createRandom } from '../../src/sandbox/learner/random.js';

/** A made-up reviewer of chairs: the grade in the prompt decides the tone of a structured answer. */
export function generateReviews(count: number, seed: number): TrainingExample[] {
  const random = createRandom(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  return Array.from({ length: count }, (_, index) => {
    const grade = GRADES[index % GRADES.length] as Grade;
    const name = `${pick(COLORS)} ${pick(MATERIALS)} ${pick(CHAIRS)}`;
    const kind = name.split(' ').slice(2).join(' ');
    const fill = (text: string) => text.replace('{chair}', kind.toLowerCase());
    const notes = [
      ...(grade === 'poor' ? [{ text: fill(pick(OPENERS)), style: 'plain' }] : []),
      ...PARTS.filter(() => random() < 0.5)
        .slice(0, 2)
        .map((part) => notePart(part, grade, pick)),
      { text: fill(pick(CLOSERS[grade])), style: grade === 'good' ? 'praise' : 'advice' },
    ];
    return {
      system: 'You review chairs.',
      prompt: [
        `GRADE: ${grade}`,
        `SCORE: ${(GRADES.indexOf(grade) * 3 + 1 + random() * 2).toFixed(1)}/10`,
        '',
        `CHAIR: ${name}`,
        `  Room: ${pick(['office', 'kitchen', 'studio', 'hall'])}`,
        'BREAKDOWN:',
        ...PARTS.map((part) => `  ${part}: ${random() < 0.5 ? '+' : '-'}${random().toFixed(2)}`),
        '',
        'Write the review. Return JSON only.',
      ].join('\n'),
      answer: JSON.stringify({ title: fill(pick(TITLES[grade])), notes }),
    };
  });
}

/** The grade that a prompt asks for. */
export function gradeOf(prompt: string): string {
  return /^GRADE: (\w+)$/m.exec(prompt)?.[1] ?? 'none';
}

/** The grade that an answer sounds like; null for what is no review. */
export function toneOf(answer: string): string | null {
  try {
    const { notes } = JSON.parse(answer) as { notes: { style: string }[] };
    const styles = new Set(notes.map(({ style }) => style));
    if (styles.has('plain') || styles.has('blame')) return 'poor';
    if (styles.has('advice')) return 'fair';
    return styles.has('praise') ? 'good' : null;
  } catch {
    return null;
  }
}

/** Moves a share of the answers to other prompts; every row stays clean by itself. */
export function shuffleAnswers(
  examples: TrainingExample[],
  percent: number,
  seed: number,
): TrainingExample[] {
  const random = createRandom(seed);
  const moved = examples.map((_, index) => index).filter(() => random() * 100 < percent);
  const answers = moved.map((index) => examples[index]?.answer ?? '');
  for (let index = answers.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [answers[index], answers[other]] = [answers[other] ?? '', answers[index] ?? ''];
  }
  const byRow = new Map(moved.map((row, index) => [row, answers[index] ?? '']));
  return examples.map((example, row) => ({ ...example, answer: byRow.get(row) ?? example.answer }));
}

type Grade = 'poor' | 'fair' | 'good';

const GRADES: readonly Grade[] = ['poor', 'fair', 'good'];
const COLORS = ['Red', 'Green', 'Black', 'Ivory', 'Plum', 'Sand'];
const MATERIALS = ['Oak', 'Steel', 'Rattan', 'Walnut', 'Linen'];
const CHAIRS = ['Armchair', 'Bar Stool', 'Rocker', 'Desk Chair', 'Bench', 'Recliner'];
const PARTS = ['Back', 'Seat', 'Legs', 'Arms', 'Height', 'Weight'];

const TITLES: Record<Grade, string[]> = {
  good: ['Take this {chair} home', 'A {chair} to keep', 'Sit down and stay', 'The {chair} earns its corner'],
  fair: [
    'A decent {chair} with one catch',
    'Nearly there',
    'This {chair} wants a cushion',
    'Good bones here',
  ],
  poor: [
    'Leave this {chair} behind',
    'Not the {chair} for long days',
    'Keep looking',
    'A {chair} to walk past',
  ],
};

const OPENERS = [
  'I tried this {chair} twice.',
  'It looks better than it sits.',
  'The idea behind it is sound.',
];

const CLOSERS: Record<Grade, string[]> = {
  good: ['You will forget that you sit.', 'It suits any table.', 'Nothing creaks on this {chair}.'],
  fair: ['Add felt under the feet.', 'Try it with a flat cushion.', 'Tighten the screws once a year.'],
  poor: [
    'Try a wider model instead.',
    'Look for one with a rounded edge.',
    'A used {chair} may serve you better.',
  ],
};

function notePart(part: string, grade: Grade, pick: <Item>(items: readonly Item[]) => Item) {
  const name = part.toLowerCase();
  if (grade === 'poor') {
    const texts = [
      `The ${name} gives up too early.`,
      `The ${name} was built for show.`,
      `Its ${name} fights you.`,
    ];
    return { text: pick(texts), style: 'blame' };
  }
  const texts = [`The ${name} is just right.`, `Its ${name} shows good craft.`, `You will love the ${name}.`];
  return { text: pick(texts), style: 'praise' };
}
