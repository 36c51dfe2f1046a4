import { execFileSync } from 'node:child_process';
import {
  CreateCustomModelDeploymentCommand,
  CreateModelCustomizationJobCommand,
  CreateProvisionedModelThroughputCommand,
  ListTagsForResourceCommand,
  paginateListCustomModelDeployments,
  paginateListCustomModels,
  paginateListModelCustomizationJobs,
  paginateListProvisionedModelThroughputs,
  StopModelCustomizationJobCommand,
} from '@aws-sdk/client-bedrock';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultySandbox, openFaultySandbox } from './faults-support.js';
import { exampleRecords, jobRequest, putText, toJsonl } from './sandbox.js';

let sandbox: FaultySandbox;
let models: string[];
beforeAll(async () => {
  sandbox = await openFaultySandbox({
    clockScale: 36_000,
    settings: { quotas: { modelUnitsWithoutCommitment: 20, deploymentsInProgress: 20 } },
  });
  models = [];
  for (const name of ['one', 'two', 'three']) {
    const request = await jobRequest(sandbox, name, {
      jobTags: [{ key: 'of', value: `${name}-job` }],
      customModelTags: [{ key: 'of', value: `${name}-model` }],
    });
    await sandbox.bedrock.send(new CreateModelCustomizationJobCommand(request));
    models.push(await sandbox.train(`${name}-more`));
  }
}, 120_000);
afterAll(() => sandbox.close());

const tagsOf = async (resourceARN = '') =>
  (await sandbox.bedrock.send(new ListTagsForResourceCommand({ resourceARN }))).tags;

interface Page {
  readonly rows: readonly { readonly arn: string; readonly name: string; readonly at: Date }[];
}
type Pages = (filter: { after?: Date; before?: Date }, pageSize: number) => AsyncIterable<Page>;

async function* map<From>(pages: AsyncIterable<From>, to: (page: From) => unknown[][]): AsyncIterable<Page> {
  for await (const page of pages) {
    yield {
      rows: to(page).map(([arn, name, at]) => ({ arn: String(arn), name: String(name), at: at as Date })),
    };
  }
}

const jobs: Pages = ({ after, before }, pageSize) =>
  map(
    paginateListModelCustomizationJobs(
      { client: sandbox.bedrock, pageSize },
      { creationTimeAfter: after, creationTimeBefore: before },
    ),
    (page) =>
      (page.modelCustomizationJobSummaries ?? []).map((row) => [row.jobArn, row.jobName, row.creationTime]),
  );
const customModels: Pages = ({ after, before }, pageSize) =>
  map(
    paginateListCustomModels(
      { client: sandbox.bedrock, pageSize },
      { creationTimeAfter: after, creationTimeBefore: before },
    ),
    (page) => (page.modelSummaries ?? []).map((row) => [row.modelArn, row.modelName, row.creationTime]),
  );
const throughputs: Pages = ({ after, before }, pageSize) =>
  map(
    paginateListProvisionedModelThroughputs(
      { client: sandbox.bedrock, pageSize },
      { creationTimeAfter: after, creationTimeBefore: before },
    ),
    (page) =>
      (page.provisionedModelSummaries ?? []).map((row) => [
        row.provisionedModelArn,
        row.provisionedModelName,
        row.creationTime,
      ]),
  );
const deployments: Pages = ({ after, before }, pageSize) =>
  map(
    paginateListCustomModelDeployments(
      { client: sandbox.bedrock, pageSize },
      { createdAfter: after, createdBefore: before },
    ),
    (page) =>
      (page.modelDeploymentSummaries ?? []).map((row) => [
        row.customModelDeploymentArn,
        row.customModelDeploymentName,
        row.createdAt,
      ]),
  );

describe('what a sweep asks for', () => {
  beforeAll(async () => {
    for (const name of ['one', 'two', 'three']) {
      const tags = [{ key: 'of', value: `${name}-served` }];
      await sandbox.bedrock.send(
        new CreateProvisionedModelThroughputCommand({
          provisionedModelName: `${name}-served`,
          modelId: models[0],
          modelUnits: 1,
          tags,
        }),
      );
      await sandbox.bedrock.send(
        new CreateCustomModelDeploymentCommand({
          modelDeploymentName: `${name}-served`,
          modelArn: models[0],
          tags,
        }),
      );
    }
  });

  it.each<[string, Pages, number]>([
    ['jobs', jobs, 6],
    ['custom models', customModels, 6],
    ['throughputs', throughputs, 3],
    ['deployments', deployments, 3],
  ])('%s: page by page, by time of creation, and the tags of each', async (_, list, count) => {
    const pages: Page[] = [];
    for await (const page of list({}, 2)) pages.push(page);
    const rows = pages.flatMap((page) => page.rows);
    expect(pages.length).toBe(Math.ceil(count / 2));
    expect(new Set(rows.map(({ arn }) => arn)).size).toBe(count);
    const times = rows.map(({ at }) => at.getTime());
    expect(times).toEqual([...times].sort((one, other) => other - one));
    const middle = rows[1] as Page['rows'][number];
    const filtered = async (filter: object) => {
      const found: string[] = [];
      for await (const page of list(filter, 100)) found.push(...page.rows.map(({ arn }) => arn));
      return found;
    };
    const arns = (rest: Page['rows']) => rest.map(({ arn }) => arn);
    expect(await filtered({ after: middle.at })).toEqual(arns(rows.filter(({ at }) => at > middle.at)));
    expect(await filtered({ before: middle.at })).toEqual(arns(rows.filter(({ at }) => at < middle.at)));
    for (const { arn, name } of rows) {
      const tags = name.includes('-more') ? [] : [{ key: 'of', value: name }];
      expect(await tagsOf(arn)).toEqual(tags);
    }
  });

  it('multipart uploads: page by page, below a prefix, until they are aborted', async () => {
    const Bucket = 'data';
    const uploads: { Key: string; UploadId: string }[] = [];
    for (const Key of ['left/b', 'left/a', 'left/a', 'other/c']) {
      const { UploadId = '' } = await sandbox.s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      uploads.push({ Key, UploadId });
    }
    const list = (more: object = {}) =>
      sandbox.s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'left/', ...more }));
    const first = await list({ MaxUploads: 2 });
    expect(first.Uploads?.map(({ Key }) => Key)).toEqual(['left/a', 'left/a']);
    expect(first.IsTruncated).toBe(true);
    expect(first.Uploads?.[0]?.Initiated).toBeInstanceOf(Date);
    const second = await list({
      MaxUploads: 2,
      KeyMarker: first.NextKeyMarker,
      UploadIdMarker: first.NextUploadIdMarker,
    });
    expect(second.Uploads?.map(({ Key }) => Key)).toEqual(['left/b']);
    expect(second.IsTruncated).toBe(false);
    const afterFirst = await list({
      MaxUploads: 1,
      KeyMarker: first.Uploads?.[0]?.Key,
      UploadIdMarker: first.Uploads?.[0]?.UploadId,
    });
    expect(afterFirst.Uploads?.[0]?.UploadId).toBe(first.Uploads?.[1]?.UploadId);
    for (const upload of uploads.filter(({ Key }) => Key.startsWith('left/'))) {
      await sandbox.s3.send(new AbortMultipartUploadCommand({ Bucket, ...upload }));
    }
    expect((await list()).Uploads ?? []).toEqual([]);
    expect((await list({ Prefix: '' })).Uploads).toHaveLength(1);
  });
});

it('calls what was doomed at its creation Failed in its own state, too', async () => {
  await sandbox.setFaults(
    { operation: 'CreateProvisionedModelThroughput', nth: 1, fault: { kind: 'deploymentFailed' } },
    { operation: 'CreateCustomModelDeployment', nth: 1, fault: { kind: 'deploymentFailed' } },
  );
  await sandbox.bedrock.send(
    new CreateProvisionedModelThroughputCommand({
      provisionedModelName: 'bad',
      modelId: models[0],
      modelUnits: 1,
    }),
  );
  await sandbox.bedrock.send(
    new CreateCustomModelDeploymentCommand({ modelDeploymentName: 'bad', modelArn: models[0] }),
  );
  await sandbox.setFaults();
  const seen = async () =>
    (await sandbox.state()).resources
      .filter(({ name }) => name === 'bad')
      .map(({ status, isLive }) => [status, isLive]);
  await expect.poll(seen, { timeout: 10_000 }).toEqual([
    ['Failed', true],
    ['Failed', true],
  ]);
});

it('ends the learner of a job that is stopped', { timeout: 60_000 }, async () => {
  await sandbox.setClockScale(1);
  const training = await putText(sandbox, 'long.jsonl', toJsonl(exampleRecords(6000)));
  const request = await jobRequest(sandbox, 'long', {
    trainingDataConfig: { s3Uri: training },
    hyperParameters: { epochCount: '5' },
  });
  await sandbox.bedrock.send(new CreateModelCustomizationJobCommand(request));
  await expect.poll(learners, { timeout: 10_000 }).toBe(1);
  await sandbox.bedrock.send(new StopModelCustomizationJobCommand({ jobIdentifier: 'long-job' }));
  await expect.poll(learners, { timeout: 2000, interval: 20 }).toBe(0);
});

/** How many processes of this one train. */
function learners(): number {
  const all = execFileSync('ps', ['-o', 'args=', '--ppid', String(process.pid)], { encoding: 'utf8' });
  return all.split('\n').filter((line) => line.includes('training/process.ts')).length;
}
