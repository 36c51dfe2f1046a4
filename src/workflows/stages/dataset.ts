import type { DatasetManifest } from '../../domain/dataset.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { datasets } from '../proxies.js';
import type { Run } from '../run.js';

/** Builds the dataset and checks every row; a row that breaks a rule rejects it before a cent is spent. */
export async function datasetStage(run: Run, spec: ResolvedRunSpec): Promise<DatasetManifest> {
  const dataset = await run.stage('dataset', 'DatasetRejected', async (stage) => {
    const manifest = await datasets('Build the dataset and check every row').buildDataset(spec, run.author);
    const { counts, training, validation } = manifest;
    const dropped = Object.values(counts.dropped).reduce((sum, count) => sum + count, 0);
    stage.note = `${counts.read} read, ${counts.accepted} accepted, ${dropped} dropped; ${training.records} to train on, ${validation?.records ?? 0} to validate`;
    return manifest;
  });
  run.state.dataset = dataset;
  await run.stage('guardrails', 'DatasetRejected', async (stage) => {
    const { blocks, warnings } = dataset.guardrails;
    stage.note = `${blocks} blocks, ${warnings} warnings on ${dataset.records} records`;
  });
  return dataset;
}
