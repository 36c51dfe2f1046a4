import type { TrainingExample } from './index.js';

const SENTENCES = [
  'The river runs past the old mill and turns south before it meets the sea.',
  'Most of the village was asleep when the first train came through the valley.',
  'Bread needs flour, water, salt and a little patience.',
  'A library is quiet in the morning and louder in the afternoon.',
  'The ferry leaves from the north pier at nine and comes back before dark.',
  'Nobody remembers who planted the walnut tree behind the school.',
  'Rain is expected in the hills, with some sun along the coast later in the day.',
  'She kept the letters in a tin box and the keys in a drawer.',
  'The museum opens at ten and the garden closes at six.',
  'Copper turns green when it stands in the rain for many years.',
  'He walked along the river to the old bridge and then back through the fields.',
  'A good map shows the roads, the rivers and the names of the hills.',
  'The garden behind the house was full of beans, peas and a few late roses.',
  'In winter the birds come down from the hills and feed in the fields.',
  'The clock in the square has been five minutes slow for as long as I can remember.',
  'Salt was carried over the pass by mules, and wool was carried back.',
];

/** What the base model has read: a little English about nothing in particular. */
export const BASE_EXAMPLES: TrainingExample[] = SENTENCES.map((answer) => ({
  system: null,
  prompt: '',
  answer,
}));
