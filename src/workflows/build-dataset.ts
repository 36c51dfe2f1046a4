import { runSpecSchema } from '../domain/run-spec.js';
import type { RunResult } from '../domain/run-state.js';
import { parseOrFail } from './failures.js';
import { runSpecs } from './proxies.js';
import { Run } from './run.js';
import { datasetStage } from './stages/dataset.js';

/** Builds and checks a dataset, buys nothing; the result names the manifest that `train` can start from. */
export async function buildDataset(input: unknown): Promise<RunResult> {
  const userSpec = parseOrFail(runSpecSchema, input, 'the run spec');
  const run = new Run();
  return run.settle(async () => {
    const spec = run.adopt(await runSpecs('Resolve the run spec').resolveRunSpec(userSpec, run.identity));
    await datasetStage(run, spec);
    return 'built';
  });
}
