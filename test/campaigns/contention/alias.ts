import { randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { DeploymentEvent } from '../../../src/domain/model-version.js';
import { loadConfig } from '../../../src/workers/config.js';
import { createDependencies, type Dependencies } from '../../../src/workers/dependencies.js';
import type { Campaign } from '../support/campaign.js';
import { checkModel, findingsOf } from '../support/invariants.js';
import type { Lane } from '../support/world.js';

/** One thing that a client asked for, by the server's clock and by what came of it. */
interface Asked {
  readonly workflowId: string;
  readonly startedMs: number;
  readonly closedMs: number;
  /** The champion that its result names; null where it was refused or failed. */
  readonly champion: number | null;
  readonly failure: string | null;
}

/** Promotes and rolls back one model's alias from several clients at once, as people would: by workflows. */
export async function playAliasByWorkflows(
  campaign: Campaign,
  lane: Lane,
  { clients, turns, random }: { clients: number; turns: number; random: () => number },
): Promise<void> {
  const played = 'alias/workflows';
  const model = lane.newModel();
  for (const number of [1, 2]) {
    const spec = lane.smallRun(model);
    await lane.execute('fineTune', spec, `contention/${model}/version-${number}`);
  }
  const asked: Asked[] = [];
  const client = async () => {
    for (let turn = 0; turn < turns; turn += 1) {
      const version = 1 + Math.floor(random() * 2);
      const onRunning = random() < 0.8 ? 'wait' : 'refuse';
      const [type, input] =
        random() < 0.5
          ? (['promote', { model, version, force: true, onRunning }] as const)
          : (['rollback', { model, onRunning }] as const);
      const id = `contention/${model}/${type}-${randomBytes(4).toString('hex')}`;
      asked.push(await outcomeOf(lane, await lane.start(type, input, id)));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const stragglers = await lane.settle(model);
  const history = await lane.dependencies.registry.history(model);
  const alias = (await lane.dependencies.registry.champion(model))?.version ?? null;
  const done = asked.filter(({ champion }) => champion !== null);
  campaign.tally.add('alias/workflows', 'runs', asked.length);
  campaign.tally.add('alias/workflows', 'moved the alias', movesOf(history).length - 2);
  campaign.tally.add('alias/workflows', 'refused', asked.length - done.length);
  const unexpected = asked.filter(({ failure }) => failure !== null && failure !== 'Conflict');
  campaign.record(
    [
      ...findingsOf('I3', notLinearizable(history, alias)),
      ...findingsOf('I3', outOfTime(history, asked)),
      ...findingsOf('I5', [
        ...unexpected.map(({ workflowId, failure }) => `${workflowId} failed: ${failure}`),
        ...stragglers.map((id) => `${id} did not end`),
      ]),
      ...(await checkModel(lane, model)),
    ],
    played,
  );
}

/** The same without the lock on the model: writers of other processes straight on the registry. */
export async function playAliasByWriters(
  campaign: Campaign,
  lane: Lane,
  { clients, turns, random }: { clients: number; turns: number; random: () => number },
): Promise<void> {
  const model = lane.newModel();
  const versions = 4;
  for (let number = 1; number <= versions; number += 1) await registerVersion(lane, model, number);
  const writers = await Promise.all(
    Array.from({ length: clients }, () => createDependencies(loadConfig({ ...lane.environment }))),
  );
  try {
    const refusals = await Promise.all(
      writers.map(async ({ registry }, writer) => {
        let refused = 0;
        for (let turn = 0; turn < turns; turn += 1) {
          const version = 1 + Math.floor(random() * versions);
          const action = random() < 0.5 ? ('promote' as const) : ('rollback' as const);
          // Some move only what they have seen; they must be refused when somebody else was faster.
          const seen = random() < 0.5 ? ((await registry.champion(model))?.version ?? null) : undefined;
          refused += await moveOnce(registry, { model, version, action, seen, run: `${writer}-${turn}` });
        }
        return refused;
      }),
    );
    const history = await lane.dependencies.registry.history(model);
    const alias = (await lane.dependencies.registry.champion(model))?.version ?? null;
    const refused = refusals.reduce((sum, count) => sum + count, 0);
    campaign.tally.add('alias/writers', 'runs', clients * turns);
    campaign.tally.add('alias/writers', 'moved the alias', movesOf(history).length);
    campaign.tally.add('alias/writers', 'refused', refused);
    const statuses = (await lane.dependencies.registry.versions(model)).filter(
      ({ status }) => status === 'champion',
    );
    campaign.record(
      [
        ...findingsOf('I3', notLinearizable(history, alias)),
        ...findingsOf('I3', statuses.length === 1 ? [] : [`${statuses.length} versions are champions`]),
      ],
      'alias/writers',
    );
  } finally {
    await Promise.all(writers.map((each) => each.close()));
  }
}

interface OneMove {
  readonly model: string;
  readonly version: number;
  readonly action: 'promote' | 'rollback';
  readonly seen: number | null | undefined;
  readonly run: string;
}

/** Moves the alias, twice as after a lost reply; 1 when it was refused. */
async function moveOnce(registry: Dependencies['registry'], move: OneMove): Promise<number> {
  const { model, version, action, seen, run } = move;
  const author = { workflowId: `contention/${model}/${run}`, runId: run };
  const request = {
    model,
    version,
    action,
    deployedBy: 'the campaign',
    notes: '',
    ...(seen !== undefined && { expectedChampion: seen }),
  };
  try {
    await registry.promote(author, request);
    await registry.promote(author, request);
    return 0;
  } catch (error) {
    if (error instanceof Error && error.name === 'Conflict') return 1;
    throw error;
  }
}

async function registerVersion(lane: Lane, model: string, number: number): Promise<void> {
  const name = `${model}-writer-t${number}`;
  await lane.dependencies.registry.registerVersion(
    { workflowId: `contention/${model}/${number}`, runId: String(number) },
    {
      model,
      recipe: 'conversation',
      provider: 'bedrock',
      baseModel: 'amazon.nova-micro-v1:0:128k',
      modelName: name,
      modelId: `arn:aws:bedrock:us-east-1:000000000000:custom-model/${name}`,
      jobName: name,
      datasetSha256: String(number).repeat(64),
      datasetManifestUri: `s3://anneal/models/${model}/datasets/${number}/manifest.json`,
      fingerprint: String(number).repeat(64),
    },
  );
}

async function outcomeOf(lane: Lane, handle: WorkflowHandle): Promise<Asked> {
  const ending = await lane.endOf(handle);
  const { startTime, closeTime } = await handle.describe();
  return {
    workflowId: handle.workflowId,
    startedMs: startTime.getTime(),
    closedMs: closeTime?.getTime() ?? Number.POSITIVE_INFINITY,
    champion: ending.closed === 'completed' ? ending.result.champion : null,
    failure: ending.closed === 'completed' ? null : ending.type,
  };
}

function movesOf(history: readonly DeploymentEvent[]): DeploymentEvent[] {
  return history.filter(({ action }) => action === 'promote' || action === 'rollback');
}

/** Each move must begin where the one before it ended, and the alias must stand where the last one put it. */
function notLinearizable(history: readonly DeploymentEvent[], alias: number | null): string[] {
  const problems: string[] = [];
  let champion: number | null = null;
  for (const [index, { previousVersion, version }] of movesOf(history).entries()) {
    if (previousVersion !== champion) {
      problems.push(`move ${index + 1} says that version ${previousVersion} served; it was ${champion}`);
    }
    if (version === previousVersion) problems.push(`move ${index + 1} moves version ${version} to itself`);
    champion = version;
  }
  if (alias !== champion) problems.push(`the alias is at version ${alias}, the last move was to ${champion}`);
  return problems;
}

/** Who had ended before another began must stand before it; and who moved must say so in its result. */
function outOfTime(history: readonly DeploymentEvent[], asked: readonly Asked[]): string[] {
  const moves = movesOf(history).flatMap((event) => {
    const by = asked.find(({ workflowId }) => workflowId === event.workflowId);
    return by ? [{ event, by }] : [];
  });
  return moves.flatMap(({ event, by }, index) => [
    ...(by.champion !== null && by.champion !== event.version
      ? [`${by.workflowId} moved to version ${event.version} and answers ${by.champion}`]
      : []),
    ...moves
      .slice(index + 1)
      .filter(({ by: later }) => later.closedMs < by.startedMs)
      .map(
        ({ by: later }) => `${later.workflowId} had ended before ${by.workflowId} began and stands after it`,
      ),
  ]);
}
