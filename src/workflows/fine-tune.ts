import type { DatasetManifest } from '../domain/dataset.js';
import type { ModelVersion } from '../domain/model-version.js';
import type { Placement } from '../domain/placement.js';
import { type ResolvedRunSpec, runSpecSchema } from '../domain/run-spec.js';
import type { Outcome, RunResult } from '../domain/run-state.js';
import { mayTrain } from './budget.js';
import { parseOrFail } from './failures.js';
import { deployments, registry, runSpecs, training } from './proxies.js';
import { Run } from './run.js';
import { conversionStage } from './stages/conversion.js';
import { datasetStage } from './stages/dataset.js';
import { deploymentStage } from './stages/deployment.js';
import { fileParity } from './stages/parity.js';
import { promotionStage } from './stages/promotion.js';
import { trainingStage } from './stages/training.js';
import { validationStage } from './stages/validation.js';

/**
 * The whole life of a fine-tuned model, from data to champion. Ends as `promoted`, `rejected`,
 * `rolledBack`, `unchanged` or `declined`; fails with a typed failure; a cancel gives everything back first.
 */
export async function fineTune(input: unknown): Promise<RunResult> {
  const userSpec = parseOrFail(runSpecSchema, input, 'the run spec');
  const run = new Run();
  return run.settle(async () => {
    const spec = run.adopt(await runSpecs('Resolve the run spec').resolveRunSpec(userSpec, run.identity));
    const joined = await run.lockModel(spec);
    if (joined) return joined;

    const dataset = await datasetStage(run, spec);
    if (await isUnchanged(run, spec, dataset)) return 'unchanged';
    if (!(await mayTrain(run, spec, dataset, { deploys: true }))) return 'declined';

    const trained = await trainingStage(run, spec, dataset);
    const version = await conversionStage(run, spec, trained);
    const parity = await fileParity(run, spec, version);
    if (parity !== 'passed') return withdraw(run, version, 'rejected', `parity ${parity}`);
    const placement = await deployments('Where is it tried?').placeCandidate(spec, version);
    if (!(await mayBeTried(run, placement))) return withdraw(run, version, 'declined', 'not to be tried');
    const deployment = placement.serving ?? (await deploymentStage(run, placement.spec, version));
    const verdict = await validationStage(run, placement.spec, version, deployment);

    if (verdict !== 'passed') return withdraw(run, version, 'rejected', `verdict ${verdict}`);
    if (!(await run.approved('before-promotion', spec, promotionQuestion(version)))) {
      return withdraw(run, version, 'declined', 'a person said no, or nobody answered');
    }
    const problem = await promotionStage(run, spec, version, {
      swap: placement.swap,
      action: 'promote',
      by: run.author.workflowId,
      notes: 'passed its gate',
    });
    if (problem !== null) return withdraw(run, version, 'rolledBack', problem);
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

/** A second deployment by the hour beside the champion's is bought only when a person agrees. */
async function mayBeTried(run: Run, { spec, question }: Placement): Promise<boolean> {
  return question === null || (await run.ask(question, spec)) === 'approved';
}

/** Takes a candidate back out: the champion was never touched, the candidate's resources go. */
async function withdraw(run: Run, version: ModelVersion, outcome: Outcome, notes: string): Promise<Outcome> {
  if (outcome === 'rolledBack') run.note('promotion', notes);
  else run.skip('promotion', notes);
  // The registry first: a run that dies in between leaves to the leases what the registry no longer names.
  await registry(`Withdraw version ${version.version}`).retireVersion(run.author, {
    model: version.model,
    version: version.version,
    action: 'reject',
    notes,
  });
  await run.purchases.undoAll();
  run.purchases.requireTeardown();
  run.state.billing = await registry('What bills now?').describeBilling(version.model);
  return outcome;
}

function promotionQuestion(version: ModelVersion): string {
  return `approve promotion of ${version.model} version ${version.version}, which passed its gate`;
}
