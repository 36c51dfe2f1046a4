import { CancellationScope } from '@temporalio/workflow';
import { runSpecSchema } from '../domain/run-spec.js';
import type { RunResult } from '../domain/run-state.js';
import { mayTrain } from './budget.js';
import { parseOrFail } from './failures.js';
import { registry, runSpecs } from './proxies.js';
import { Run } from './run.js';
import { datasetStage } from './stages/dataset.js';
import { trainingStage } from './stages/training.js';

/** Builds the dataset (or loads a manifest), trains, and registers the version as a candidate. */
export async function train(input: unknown): Promise<RunResult> {
  const userSpec = parseOrFail(runSpecSchema, input, 'the run spec');
  const run = new Run();
  return run.settle(async () => {
    const spec = run.adopt(await runSpecs('Resolve the run spec').resolveRunSpec(userSpec, run.identity));
    const joined = await run.lockModel(spec);
    if (joined) return joined;
    const dataset = await datasetStage(run, spec);
    if (!(await mayTrain(run, spec, dataset, { deploys: false }))) return 'declined';
    const version = await trainingStage(run, spec, dataset);
    await run.purchases.handOverTo(version);
    run.state.billing = await CancellationScope.nonCancellable(() =>
      registry('What bills now?').describeBilling(spec.model),
    );
    return 'trained';
  });
}
