/** One line of the table in docs/command-line.md: what is typed, and what it answers. */
export interface Row {
  readonly title: string;
  /** Typed before, to get there; its time is not counted. */
  readonly before?: string;
  readonly command: string;
  readonly exitCode: 0 | 1;
  /** The workflow whose status the table shows, and that status once the command has answered. */
  readonly workflowId: string;
  readonly status: 'Running' | 'Completed' | 'Failed' | 'Canceled' | 'Terminated' | 'not started';
  readonly failureType?: string;
  /** Part of what is printed; `<key>` and `<run ID>` stand for what differs each time. */
  readonly says: string;
  readonly withinSeconds?: number;
}

const execute = (workflowId: string, ...input: string[]) => run('execute', 'fineTune', workflowId, ...input);
const start = (workflowId: string, ...more: string[]) => run('start', 'fineTune', workflowId, ...more);
const input = (json: object | string) =>
  `--input '${typeof json === 'string' ? json : JSON.stringify(json)}'`;

function run(how: 'start' | 'execute', type: string, workflowId: string, ...more: string[]): string {
  return [
    `temporal workflow ${how} --task-queue anneal --type ${type} --workflow-id ${workflowId}`,
    ...more,
  ].join(' \\\n  ');
}

const result = (workflowId: string) => `temporal workflow result --workflow-id ${workflowId}`;
const update = (workflowId: string, name: string, by: string) =>
  `temporal workflow update execute --workflow-id ${workflowId} --name ${name} ${input({ by })}`;
const until = (workflowId: string, words: string) =>
  `until temporal workflow query --workflow-id ${workflowId} --type status | grep -q '${words}'; do sleep 0.2; done`;

/** A run that takes seconds: few records, few questions. */
const small = (model: string, more: object = {}) =>
  input({
    recipe: 'stylist',
    model,
    ...more,
    dataset: { source: { kind: 'builder', records: 100 } },
    validation: { samples: 50 },
  });
const provisioned = { deployment: { target: 'bedrock-provisioned' }, budgetUsd: 200 };
const isTraining = '"job":{';
const isDeploying = '"stage":"deployment"';
const isAsking = '"awaiting":"';

const refusedInput = { exitCode: 1, status: 'Failed', failureType: 'InvalidInput' } as const;

const inputs: readonly Row[] = [
  {
    title: 'the smallest input',
    command: start('fine-tune/stylist', '--fail-existing', input({ recipe: 'stylist' })),
    exitCode: 0,
    workflowId: 'fine-tune/stylist',
    status: 'Running',
    says: 'Running execution:',
  },
  {
    title: 'no input',
    command: execute('check/no-input'),
    workflowId: 'check/no-input',
    ...refusedInput,
    says: "InvalidInput: the run spec has a problem.\n  (input): found nothing; allowed: one JSON object, as in --input '{…}'.",
  },
  {
    title: 'text that is not JSON',
    command: execute('check/bad-json', input('{"recipe":')),
    exitCode: 1,
    workflowId: 'check/bad-json',
    status: 'not started',
    says: 'is not valid JSON',
  },
  {
    title: 'an array',
    command: execute('check/array', input('["stylist"]')),
    workflowId: 'check/array',
    ...refusedInput,
    says: `InvalidInput: the run spec has a problem.\n  (input): found ["stylist"]; allowed: one JSON object, as in --input '{…}'.`,
  },
  {
    title: 'an unknown field',
    command: execute('check/field', input({ recipe: 'stylist', trainig: {} })),
    workflowId: 'check/field',
    ...refusedInput,
    says: 'InvalidInput: the run spec has a problem.\n  trainig: found an unknown field; allowed: recipe, model, dataset, training, conversion, deployment, validation, approval, budgetUsd, onRunning, force, waiting, deadlines. Did you mean "training"?',
  },
  {
    title: 'a value of the wrong type',
    command: execute('check/type', input({ recipe: 'stylist', budgetUsd: '25' })),
    workflowId: 'check/type',
    ...refusedInput,
    says: 'InvalidInput: the run spec has a problem.\n  budgetUsd: found "25"; allowed: a value of type number.',
  },
  {
    title: 'an unknown recipe',
    command: execute('check/recipe', input({ recipe: 'stylst' })),
    workflowId: 'check/recipe',
    ...refusedInput,
    says: 'InvalidInput: recipe: found "stylst"; allowed: conversation, optimizer, profile-scorer, stylist. Did you mean "stylist"?',
  },
  {
    title: 'an unknown workflow type',
    command: run('execute', 'finetune', 'check/workflow-type', input({ recipe: 'stylist' })),
    workflowId: 'check/workflow-type',
    ...refusedInput,
    says: 'InvalidInput: --type: found "finetune"; allowed: fineTune, buildDataset, train, convert, deploy, validate, promote, rollback, teardown, infer, leaseResource, sweepOrphans. Did you mean "fineTune"?',
  },
  {
    title: 'a data file with a broken line',
    before: `mkdir -p /tmp/anneal-tutorial && printf '%s\\n' '{"prompt":"Hello"' > /tmp/anneal-tutorial/broken-line.jsonl`,
    command: execute(
      'check/data',
      input({
        recipe: 'stylist',
        model: 'checks',
        dataset: { source: { kind: 'file', path: '/tmp/anneal-tutorial/broken-line.jsonl' } },
      }),
    ),
    exitCode: 1,
    workflowId: 'check/data',
    status: 'Failed',
    failureType: 'DatasetRejected',
    says: 'broken-line.jsonl:1 (byte 0)',
  },
  {
    title: 'an estimate above the budget, and nobody who approves it in time',
    command: execute(
      'check/budget',
      small('checks', { budgetUsd: 0.01, deadlines: { approvalHours: 0.0005 } }),
    ),
    exitCode: 1,
    workflowId: 'check/budget',
    status: 'Failed',
    failureType: 'BudgetExceeded',
    says: 'is above budgetUsd $0.01, by',
  },
];

const whileItRuns: readonly Row[] = [
  {
    title: 'the same workflow ID again',
    command: start('fine-tune/stylist', input({ recipe: 'stylist' })),
    exitCode: 0,
    workflowId: 'fine-tune/stylist',
    status: 'Running',
    says: 'Running execution:',
  },
  {
    title: 'the same workflow ID again, with --fail-existing',
    command: start('fine-tune/stylist', '--fail-existing', input({ recipe: 'stylist' })),
    exitCode: 1,
    workflowId: 'fine-tune/stylist',
    status: 'Running',
    says: 'Workflow execution is already running.',
  },
  {
    title: 'another workflow ID for the same model',
    command: execute('fine-tune/rival', input({ recipe: 'stylist' })),
    exitCode: 1,
    workflowId: 'fine-tune/rival',
    status: 'Failed',
    failureType: 'Conflict',
    says: 'Conflict: model "stylist" is held by workflow fine-tune/stylist; wait until it has ended, cancel it, or give "onRunning": "wait".',
  },
  {
    title: 'an approval too early',
    before: until('fine-tune/stylist', isTraining),
    command: update('fine-tune/stylist', 'approve', 'Ada'),
    exitCode: 1,
    workflowId: 'fine-tune/stylist',
    status: 'Running',
    failureType: 'Conflict',
    says: 'Conflict: nothing waits for approval now (stage: training); the status query says what the run is doing',
  },
  {
    title: 'an unknown query',
    command: 'temporal workflow query --workflow-id fine-tune/stylist --type progress',
    exitCode: 1,
    workflowId: 'fine-tune/stylist',
    status: 'Running',
    says: 'Workflow did not register a handler for progress.',
  },
  {
    title: 'an unknown signal: nobody reads it, the run goes on',
    command: 'temporal workflow signal --workflow-id fine-tune/stylist --name hurry',
    exitCode: 0,
    workflowId: 'fine-tune/stylist',
    status: 'Running',
    says: 'Signal workflow succeeded',
  },
];

const decisions: readonly Row[] = [
  {
    title: 'an approval',
    before: [
      start('fine-tune/letters', '--fail-existing', small('letters', { approval: 'before-training' })),
      until('fine-tune/letters', isAsking),
    ].join('\n'),
    command: update('fine-tune/letters', 'approve', 'Ada'),
    exitCode: 0,
    workflowId: 'fine-tune/letters',
    status: 'Running',
    says: 'fine-tune/letters',
  },
  {
    title: 'a second approval',
    command: update('fine-tune/letters', 'approve', 'Bob'),
    exitCode: 1,
    workflowId: 'fine-tune/letters',
    status: 'Running',
    failureType: 'Conflict',
    says: 'Conflict: this run was approved by Ada already; it cannot be approved now',
  },
  {
    title: 'cancel in training',
    before: until('fine-tune/letters', isTraining),
    command: ['temporal workflow cancel --workflow-id fine-tune/letters', result('fine-tune/letters')].join(
      '\n',
    ),
    exitCode: 1,
    workflowId: 'fine-tune/letters',
    status: 'Canceled',
    says: 'Status  CANCELED',
  },
  {
    title: 'an approval after a rejection',
    before: [
      start('fine-tune/letters', '--fail-existing', small('letters', { approval: 'before-training' })),
      until('fine-tune/letters', isAsking),
      update('fine-tune/letters', 'reject', 'Ada'),
      result('fine-tune/letters'),
    ].join('\n'),
    command: update('fine-tune/letters', 'approve', 'Bob'),
    exitCode: 1,
    workflowId: 'fine-tune/letters',
    status: 'Completed',
    says: 'workflow execution already completed',
  },
];

const endings: readonly Row[] = [
  {
    title: 'cancel in deployment',
    before: [
      start('fine-tune/letters', '--fail-existing', small('letters')),
      until('fine-tune/letters', isDeploying),
    ].join('\n'),
    command: ['temporal workflow cancel --workflow-id fine-tune/letters', result('fine-tune/letters')].join(
      '\n',
    ),
    exitCode: 1,
    workflowId: 'fine-tune/letters',
    status: 'Canceled',
    says: 'Status  CANCELED',
  },
  {
    title: 'terminate in deployment, on provisioned throughput',
    before: [
      start('fine-tune/labels', '--fail-existing', small('labels', provisioned)),
      until('fine-tune/labels', isDeploying),
      'until ./anneal sandbox | grep provisionedThroughput; do sleep 0.2; done',
    ].join('\n'),
    command: "temporal workflow terminate --workflow-id fine-tune/labels --reason 'to see what is left'",
    exitCode: 0,
    workflowId: 'fine-tune/labels',
    status: 'Terminated',
    says: 'Workflow terminated',
  },
  {
    title: 'after the terminate: its lease deletes the throughput at its next look (every 5 s here)',
    command: "until ./anneal sandbox --ledger | grep 'delete .* labels-.*-d1'; do sleep 0.2; done",
    exitCode: 0,
    workflowId: 'fine-tune/labels',
    status: 'Terminated',
    says: 'provisionedThroughput',
    withinSeconds: 40,
  },
];

export const resultRow: Row = {
  title: 'the result of the first run; the seconds are its whole life',
  command: result('fine-tune/stylist'),
  exitCode: 0,
  workflowId: 'fine-tune/stylist',
  status: 'Completed',
  says: '"outcome":"promoted"',
  withinSeconds: 90,
};

const afterIt: readonly Row[] = [
  resultRow,
  {
    title: 'rollback without a previous champion',
    command: run('execute', 'rollback', 'rollback/stylist', input({ model: 'stylist' })),
    workflowId: 'rollback/stylist',
    ...refusedInput,
    says: 'InvalidInput: model: there is no previous champion of model "stylist"; known versions: 1.',
  },
  {
    title: 'teardown of the champion',
    command: run('execute', 'teardown', 'teardown/stylist', input({ model: 'stylist', version: 1 })),
    workflowId: 'teardown/stylist',
    ...refusedInput,
    says: 'InvalidInput: version: 1 is the champion of stylist and serves; give "force": true to delete it all the same.',
  },
];

/** Typed in this order, on a stack that was empty. */
export const rows: readonly Row[] = [...inputs, ...whileItRuns, ...decisions, ...endings, ...afterIt];
