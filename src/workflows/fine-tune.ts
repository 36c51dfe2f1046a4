import type { DatasetManifest } from '../domain/dataset.js';
import type { ModelVersion } from '../domain/model-version.js';
import { formatUsd } from '../domain/money.js';
import { type ResolvedRunSpec, runSpecSchema } from '../domain/run-spec.js';
import type { Outcome, RunResult } from '../domain/run-state.js';
import { parseOrFail } from './failures.js';
import { registry, runSpecs, training } from './proxies.js';
import { Run } from './run.js';
import { datasetStage } from './stages/dataset.js';
import { deploymentStage } from './stages/deployment.js';
import { promotionStage } from './stages/promotion.js';
import { trainingStage } from './stages/training.js';
import { validationStage } from './stages/validation.js';

/**
 * The whole life of a fine-tuned model, from data to champion. Ends as `promoted`, `rejected`, `unchanged`
 * or `declined`; fails with a typed failure; a cancel gives everything back first.
 */
export async function fineTune(input: unknown): Promise<RunResult> {
  const userSpec = parseOrFail(runSpecSchema, input, 'the run spec');
  const run = new Run();
  return run.settle(async () => {
    const spec = run.adopt(await runSpecs('Resolve the run spec').resolveRunSpec(userSpec, run.identity));
    await run.lockModel(spec.model);

    const dataset = await datasetStage(run, spec);
    if (await isUnchanged(run, spec, dataset)) return 'unchanged';
    run.state.estimate = await runSpecs('Estimate the cost').checkBudget(spec, dataset);
    if (!(await run.approved('before-training', spec, trainingQuestion(run, spec)))) return 'declined';

    const version = await trainingStage(run, spec, dataset);
    run.skip('conversion', 'not needed on this target');
    const deployment = await deploymentStage(run, spec, version);
    const verdict = await validationStage(run, spec, version, deployment);

    if (verdict !== 'passed') return withdraw(run, version, 'rejected', `verdict ${verdict}`);
    if (!(await run.approved('before-promotion', spec, promotionQuestion(version)))) {
      return withdraw(run, version, 'declined', 'a person said no, or nobody answered');
    }
    await promotionStage(run, version, {
      action: 'promote',
      by: run.author.workflowId,
      notes: 'passed its gate',
    });
    return 'promoted';
  });
}

/** The champion was trained on the same data in the same way: training again would buy the same model. */
async function isUnchanged(run: Run, spec: ResolvedRunSpec, dataset: DatasetManifest): Promise<boolean> {
  const compare = training('Does it differ from the champion?').compareWithChampion(spec, dataset);
  const { champion, unchanged } = await compare;
  run.state.champion = champion;
  if (!unchanged || spec.force) return false;
  run.skip('training', `champion version ${champion} was trained on the same data in the same way`);
  run.state.billing = await registry('What bills now?').describeBilling(spec.model);
  return true;
}

/** Takes a candidate back out: the champion was never touched, the candidate's resources go. */
async function withdraw(run: Run, version: ModelVersion, outcome: Outcome, notes: string): Promise<Outcome> {
  run.skip('promotion', notes);
  await run.undoAll();
  await registry(`Withdraw version ${version.version}`).retireVersion(run.author, {
    model: version.model,
    version: version.version,
    action: 'reject',
    notes,
  });
  run.requireTeardown();
  run.state.billing = await registry('What bills now?').describeBilling(version.model);
  return outcome;
}

function trainingQuestion(run: Run, spec: ResolvedRunSpec): string {
  const estimate = formatUsd(run.state.estimate?.totalUsd ?? 0);
  return `approve training of ${spec.model} on ${run.state.dataset?.records} records for about ${estimate}`;
}

function promotionQuestion(version: ModelVersion): string {
  return `approve promotion of ${version.model} version ${version.version}, which passed its gate`;
}
