import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { PermanentFailure } from '../domain/failures.js';
import { formatProblems, parseInput } from '../domain/parse-input.js';

const dated = {
  asOf: z.iso.date(),
  confidence: z.enum(['documented', 'reported', 'plausible']),
  source: z.string().min(1),
};

const tableSchema = z.object({
  asOf: z.iso.date(),
  images: z.array(z.object({ repository: z.string().min(1), tag: z.string().min(1), ...dated })).min(1),
  registries: z
    .array(
      z.object({
        account: z.string().regex(/^\d{12}$/, 'the 12 digits of an AWS account'),
        domain: z.string().min(1),
        regions: z.array(z.string().min(1)).min(1),
        ...dated,
      }),
    )
    .min(1),
});

/** The containers that SageMaker training jobs run in. */
export interface TrainingImages {
  /** The image to use in a region, as a URI of the region's registry; null where the table has none. */
  uri(region: string): string | null;
  /** The regions that the table has. */
  readonly regions: readonly string[];
}

/** Reads and checks an image table; one error lists everything that is wrong with the file. */
export function loadTrainingImages(path: string): TrainingImages {
  const parsed = parseInput(tableSchema, readJson(path));
  if ('problems' in parsed) {
    const said = formatProblems(`the image table ${path}`, parsed.problems);
    throw new PermanentFailure('InvalidInput', said, [...parsed.problems]);
  }
  const { images, registries } = parsed.value;
  return {
    regions: registries.flatMap(({ regions }) => regions),
    uri: (region) => {
      const registry = registries.find(({ regions }) => regions.includes(region));
      const [image] = images;
      if (!registry || !image) return null;
      return `${registry.account}.dkr.ecr.${region}.${registry.domain}/${image.repository}:${image.tag}`;
    },
  };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const said = `InvalidInput: the image table ${path} cannot be read: ${(error as Error).message}`;
    throw new PermanentFailure('InvalidInput', said, [{ path }], { cause: error });
  }
}
