import { createRandom } from './random.js';

const AXES = 6;

/** How many directions in which answers may differ are kept: half shared with prompts, half of their own. */
export const DIMENSIONS = 2 * AXES;

const ITERATIONS = 6;

interface SparseRows {
  offsets: Int32Array;
  columns: Int32Array;
  values: Float32Array;
  columnMeans: Float64Array;
}

/**
 * Places answers in a small space, so that answers built from the same stock of phrases lie close together.
 * One half of the axes are the directions in which answers vary together with their prompts, the other half those
 * in which they vary most, whatever the prompts: singular vectors of the two matrices, by power iteration.
 * `embedding` holds one row of DIMENSIONS numbers for each answer, of length one (or shorter where nothing is
 * known); `locate` finds the row of an answer that was not there.
 */
export function embedAnswers(
  answers: ArrayLike<number>[],
  prompts: number[][],
  seed: number,
): { embedding: Float64Array; locate: (answer: ArrayLike<number>) => Float64Array } {
  const columns = chooseColumns(answers.map(featuresOf));
  const answerRows = buildRows(answers.map(featuresOf), columns);
  const promptRows = buildRows(prompts, chooseColumns(prompts));
  const shared = findAxes(answerRows, createRandom(seed), (projected) =>
    projectRows(promptRows, projectBack(promptRows, projected)),
  );
  const own = findAxes(answerRows, createRandom(seed + 1), (projected) => projected);
  return {
    embedding: joinAxes(projectRows(answerRows, shared), projectRows(answerRows, own)),
    locate: (answer) => {
      const row = { ...buildRows([featuresOf(answer)], columns), columnMeans: answerRows.columnMeans };
      return joinAxes(projectRows(row, shared), projectRows(row, own));
    },
  };
}

function findAxes(
  rows: SparseRows,
  random: () => number,
  passThrough: (projected: Float64Array) => Float64Array,
): Float64Array {
  const width = rows.columnMeans.length;
  let directions: Float64Array = Float64Array.from({ length: width * AXES }, () => random() - 0.5);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    orthonormalize(directions, width);
    directions = projectBack(rows, passThrough(projectRows(rows, directions)));
  }
  orthonormalize(directions, width);
  return directions;
}

/** Both halves count the same. */
function joinAxes(shared: Float64Array, own: Float64Array): Float64Array {
  normalizeRows(shared);
  normalizeRows(own);
  const joined = new Float64Array(shared.length * 2);
  for (let row = 0; row < shared.length / AXES; row++) {
    for (let axis = 0; axis < AXES; axis++) {
      joined[row * DIMENSIONS + axis] = (shared[row * AXES + axis] as number) * Math.SQRT1_2;
      joined[row * DIMENSIONS + AXES + axis] = (own[row * AXES + axis] as number) * Math.SQRT1_2;
    }
  }
  return joined;
}

/** Cosine of two rows of embeddings. */
export function similarity(
  left: Float64Array,
  leftRow: number,
  right: Float64Array,
  rightRow: number,
): number {
  let sum = 0;
  const leftStart = leftRow * DIMENSIONS;
  const rightStart = rightRow * DIMENSIONS;
  for (let axis = 0; axis < DIMENSIONS; axis++) {
    sum += (left[leftStart + axis] as number) * (right[rightStart + axis] as number);
  }
  return sum;
}

/** Features of one row only, or of nearly all, say nothing about likeness. */
function chooseColumns<Name>(features: Name[][]): Map<Name, number> {
  const frequency = new Map<Name, number>();
  for (const row of features) for (const name of row) frequency.set(name, (frequency.get(name) ?? 0) + 1);
  const column = new Map<Name, number>();
  const commonest = Math.max(2, features.length * 0.9);
  for (const [name, count] of frequency) if (count >= 2 && count <= commonest) column.set(name, column.size);
  return column;
}

function buildRows<Name>(features: Name[][], column: ReadonlyMap<Name, number>): SparseRows {
  const offsets = new Int32Array(features.length + 1);
  const columns: number[] = [];
  const values: number[] = [];
  const columnMeans = new Float64Array(column.size);
  features.forEach((row, index) => {
    const kept = row.flatMap((name) => column.get(name) ?? []);
    const value = 1 / Math.sqrt(kept.length || 1);
    for (const at of kept) {
      columns.push(at);
      values.push(value);
      columnMeans[at] = (columnMeans[at] as number) + value / features.length;
    }
    offsets[index + 1] = columns.length;
  });
  return { offsets, columns: Int32Array.from(columns), values: Float32Array.from(values), columnMeans };
}

function featuresOf(answer: ArrayLike<number>): string[] {
  const names = new Set<string>();
  for (let index = 0; index < answer.length; index++) {
    names.add(String(answer[index]));
    if (index > 0) names.add(`${answer[index - 1]} ${answer[index]}`);
  }
  return [...names];
}

function projectRows(rows: SparseRows, directions: Float64Array): Float64Array {
  const count = rows.offsets.length - 1;
  const projected = new Float64Array(count * AXES);
  const mean = new Float64Array(AXES);
  for (let column = 0; column < rows.columnMeans.length; column++) {
    for (let axis = 0; axis < AXES; axis++) {
      const at = column * AXES + axis;
      mean[axis] = (mean[axis] as number) + (rows.columnMeans[column] as number) * (directions[at] as number);
    }
  }
  for (let row = 0; row < count; row++) {
    const base = row * AXES;
    for (let axis = 0; axis < AXES; axis++) projected[base + axis] = -(mean[axis] as number);
    for (let at = rows.offsets[row] as number; at < (rows.offsets[row + 1] as number); at++) {
      const value = rows.values[at] as number;
      const from = (rows.columns[at] as number) * AXES;
      for (let axis = 0; axis < AXES; axis++) {
        projected[base + axis] =
          (projected[base + axis] as number) + value * (directions[from + axis] as number);
      }
    }
  }
  return projected;
}

function projectBack(rows: SparseRows, projected: Float64Array): Float64Array {
  const directions = new Float64Array(rows.columnMeans.length * AXES);
  const sum = new Float64Array(AXES);
  for (let row = 0; row < rows.offsets.length - 1; row++) {
    const base = row * AXES;
    for (let axis = 0; axis < AXES; axis++) {
      sum[axis] = (sum[axis] as number) + (projected[base + axis] as number);
    }
    for (let at = rows.offsets[row] as number; at < (rows.offsets[row + 1] as number); at++) {
      const value = rows.values[at] as number;
      const to = (rows.columns[at] as number) * AXES;
      for (let axis = 0; axis < AXES; axis++) {
        directions[to + axis] =
          (directions[to + axis] as number) + value * (projected[base + axis] as number);
      }
    }
  }
  for (let column = 0; column < rows.columnMeans.length; column++) {
    for (let axis = 0; axis < AXES; axis++) {
      const at = column * AXES + axis;
      directions[at] =
        (directions[at] as number) - (rows.columnMeans[column] as number) * (sum[axis] as number);
    }
  }
  return directions;
}

function orthonormalize(directions: Float64Array, width: number): void {
  for (let axis = 0; axis < AXES; axis++) {
    for (let earlier = 0; earlier <= axis; earlier++) {
      let product = 0;
      for (let row = 0; row < width; row++) {
        const at = row * AXES;
        product += (directions[at + axis] as number) * (directions[at + earlier] as number);
      }
      const factor = earlier === axis ? 1 / (Math.sqrt(product) || 1) : 0;
      for (let row = 0; row < width; row++) {
        const at = row * AXES;
        const value = directions[at + axis] as number;
        directions[at + axis] =
          earlier === axis ? value * factor : value - product * (directions[at + earlier] as number);
      }
    }
  }
}

function normalizeRows(embedding: Float64Array): void {
  for (let base = 0; base < embedding.length; base += AXES) {
    let length = 0;
    for (let axis = 0; axis < AXES; axis++) length += (embedding[base + axis] as number) ** 2;
    const factor = length > 1e-12 ? 1 / Math.sqrt(length) : 0;
    for (let axis = 0; axis < AXES; axis++) {
      embedding[base + axis] = (embedding[base + axis] as number) * factor;
    }
  }
}
