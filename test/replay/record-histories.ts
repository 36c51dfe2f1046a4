import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, it } from 'vitest';
import { leaseWorkflowId } from '../../src/domain/lease.js';
import { conversationLines } from '../support/run-specs.js';
import { hourInASecond } from '../support/sandbox.js';
import { startService, type TestService } from '../support/service.js';
import { storeHistory } from './histories.js';

/** Not a test: run by scripts/record-histories.ts. Ends each kind of run once and stores its history. */
let service: TestService;
beforeAll(async () => {
  service = await startService();
  const { objects } = service.dependencies;
  for (const subject of ['item', 'garment']) {
    const lines = conversationLines(16, subject);
    await objects.put(uriOf(subject), `${lines.join('\n')}\n`, 'application/x-ndjson');
  }
  await objects.put(uriOf('broken'), '{"messages": [\n', 'application/x-ndjson');
  const directory = fileURLToPath(new URL('./histories/', import.meta.url));
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
});
afterAll(() => service.stop());

const uriOf = (subject: string) => `s3://anneal/data/${subject}.jsonl`;

const spec = (model: string, subject = 'item', more: object = {}) => ({
  recipe: 'conversation',
  model,
  dataset: { source: { kind: 'file', path: uriOf(subject) } },
  validation: { samples: 4 },
  ...more,
});

async function record(name: string, type: string, input?: unknown): Promise<WorkflowHandle> {
  const handle = await service.start(type, input);
  await service.endOf(handle);
  await storeHistory(name, handle);
  return handle;
}

const leaseOf = (kind: 'training-job' | 'deployment', name: string) =>
  service.client.workflow.getHandle(leaseWorkflowId({ kind, name }));

it('a model from first champion to teardown', async () => {
  const model = service.newModel();
  const first = await record('promoted', 'fineTune', spec(model));
  await record('unchanged', 'fineTune', spec(model));
  const approval = 'before-training';
  const second = await service.start('fineTune', spec(model, 'garment', { approval }));
  await service.awaitStatus(second, ({ awaiting }) => awaiting !== null);
  await second.executeUpdate('approve', { args: [{ by: 'Ada', notes: 'go on' }] });
  await service.endOf(second);
  await storeHistory('promoted-after-approval', second);
  await record('rolled-back', 'rollback', { model });
  const { deployment, job } = await service.awaitStatus(first, () => true);
  await storeHistory('lease-handed-over', leaseOf('deployment', deployment?.name ?? ''));
  await record('torn-down', 'teardown', { model });
  await record('torn-down-by-force', 'teardown', { model, version: 1, force: true });
  await storeHistory('lease-released', leaseOf('training-job', job?.name ?? ''));
});

it('one stage at a time', async () => {
  const model = service.newModel();
  await record('built', 'buildDataset', spec(model));
  await record('trained', 'train', spec(model));
  await record('not-deployed', 'validate', { model });
  await record('deployed', 'deploy', { model });
  await record('validated', 'validate', { model });
  await record('promoted-alone', 'promote', { model });
});

it('runs that end another way', async () => {
  const model = service.newModel();
  await record('failed-input', 'fineTune', { recipes: 'stylist' });
  await record('failed-unknown-type', 'finetune', { recipe: 'stylist' });
  await record('failed-dataset', 'fineTune', spec(model, 'broken'));
  const unanswered = { budgetUsd: 0, deadlines: { approvalHours: 1 / 3600 } };
  await record('failed-budget', 'fineTune', spec(model, 'item', unanswered));
  const crowded = {
    deployment: { target: 'bedrock-provisioned', settings: { modelUnits: 99 } },
    deadlines: { purchaseHours: 3 / 3600 },
    budgetUsd: 10_000,
  };
  await record('failed-deployment', 'fineTune', spec(model, 'item', crowded));
  const stylist = { recipe: 'stylist', dataset: { source: { kind: 'builder', records: 60 } } };
  await record('rejected', 'fineTune', { ...stylist, model, validation: { samples: 10 } });

  const declined = await service.start('fineTune', spec(model, 'item', { approval: 'before-promotion' }));
  await service.awaitStatus(declined, ({ awaiting }) => awaiting !== null);
  await declined.executeUpdate('reject', { args: [{ by: 'Ada' }] });
  await service.endOf(declined);
  await storeHistory('declined', declined);
});

it('runs that are cancelled or terminated', async () => {
  await service.setClock(60);
  const [cancelled, terminated] = await Promise.all(
    [service.newModel(), service.newModel()].map(async (model) => {
      const handle = await service.start('fineTune', spec(model));
      const { job } = await service.awaitStatus(handle, (status) => Boolean(status.job?.id));
      return { handle, job: job?.name ?? '' };
    }),
  );
  await cancelled?.handle.cancel();
  await terminated?.handle.terminate('to record what follows');
  await service.setClock(hourInASecond);
  if (cancelled) {
    await service.endOf(cancelled.handle);
    await storeHistory('cancelled-in-training', cancelled.handle);
  }
  const lease = leaseOf('training-job', terminated?.job ?? '');
  await lease.result();
  await storeHistory('lease-after-terminate', lease);
});

it('a champion on provisioned throughput', async () => {
  const model = service.newModel();
  const provisioned = { deployment: { target: 'bedrock-provisioned' }, budgetUsd: 1000 };
  await service.execute('fineTune', spec(model, 'item', provisioned));
  await record('swapped-in', 'fineTune', spec(model, 'garment', provisioned));
  await record('rolled-back-in-place', 'rollback', { model });
  await record('swept', 'sweepOrphans', {});
});

it('inference', async () => {
  const request = { prompt: 'Which colour has item 3?' };
  const model = service.newModel();
  await record('inferred-without-champion', 'infer', { recipe: 'conversation', model, request });
  await service.execute('fineTune', spec(model));
  await record('inferred', 'infer', { recipe: 'conversation', model, request });
  await record('inferred-base', 'infer', { recipe: 'conversation', model, request, serve: 'base' });
});
