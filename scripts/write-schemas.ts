import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { gatePolicySchema } from '../src/domain/evaluation/gate-policy.js';
import { inferSpecSchema, runSpecSchema, versionSpecSchema } from '../src/domain/run-spec.js';

/**
 * Writes the JSON Schema of everything that people write by hand into schemas/, for editors and other
 * languages. The zod schemas of src/domain are the source; `--check` writes nothing and exits 1 on a difference.
 */
const schemas = {
  'run-spec': {
    title: 'Run spec',
    description: 'The input of fineTune, buildDataset and train. See docs/run-spec.md.',
    schema: runSpecSchema,
  },
  'version-spec': {
    title: 'Version spec',
    description:
      'The input of convert, deploy, validate, promote, rollback and teardown. See docs/run-spec.md.',
    schema: versionSpecSchema,
  },
  'infer-spec': {
    title: 'Infer spec',
    description: 'The input of infer. See docs/run-spec.md.',
    schema: inferSpecSchema,
  },
  'gate-policy': {
    title: 'Gate policy',
    description: 'A file recipes/<name>/policies/<policy>.json. See docs/gates.md.',
    schema: gatePolicySchema,
  },
} as const;

const folder = fileURLToPath(new URL('../schemas/', import.meta.url));

/** Every generated file's path and text. */
export function schemaFiles(): { path: string; text: string }[] {
  return Object.entries(schemas).map(([name, { title, description, schema }]) => ({
    path: `${folder}${name}.schema.json`,
    text: `${JSON.stringify({ title, description, ...toJsonSchema(schema) }, null, 2)}\n`,
  }));
}

/** As people write it: fields with a default are optional. */
function toJsonSchema(schema: z.ZodType): object {
  return z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // zod's own name for a prefix, which no validator knows; the pattern beside it says the same.
      if ((jsonSchema.format as string | undefined) === 'starts_with') delete jsonSchema.format;
    },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stale = schemaFiles().filter(({ path, text }) => readText(path) !== text);
  if (process.argv.includes('--check')) {
    for (const { path } of stale) console.error(`${path} is not what src/domain says; run: npm run schemas`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    for (const { path, text } of stale) writeFileSync(path, text);
    console.log(stale.length === 0 ? 'The schemas are up to date.' : `Wrote ${stale.length} schemas.`);
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
