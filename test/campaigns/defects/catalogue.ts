/** One place in a file of src, by its exact text, and what stands there instead while the defect is on. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The cases of a campaign that have to notice a defect. */
export interface Detector {
  readonly campaign: 'crash' | 'faults' | 'people' | 'contention' | 'simulate';
  /** As in `--only`. */
  readonly only: string;
  readonly short?: true;
  /** Where only some seeds bring about what is needed. */
  readonly seed?: number;
}

/** Something that somebody might get wrong in src. */
export interface Defect {
  readonly name: string;
  readonly what: string;
  readonly edits: readonly Edit[];
  readonly detector: Detector;
}

const people = (only: string): Detector => ({ campaign: 'people', only });
const faults = (only: string): Detector => ({ campaign: 'faults', only });
const contention = (only: string): Detector => ({ campaign: 'contention', only, short: true });

/** Cases that several defects show in. */
const boughtInLine = faults('bought-CreateProvisionedModelThroughput/capacity/always');
const aliasWriters = contention('alias/writers');
const oneModel = contention('one-model');

const buying: readonly Defect[] = [
  {
    name: 'no-token-no-adoption',
    what: 'a throughput is created without a token, and nobody looks for one that is there',
    edits: [
      {
        file: 'src/aws/adopt-or-create.ts',
        find: 'const arn = await creation.find();',
        replace: 'const arn = null;',
      },
      {
        file: 'src/activities/deployment/bedrock-provisioned.ts',
        find: 'clientRequestToken: toClientRequestToken(request.idempotencyToken),',
        replace: '',
      },
    ],
    // The client makes up a token of its own for its three tries, so that all of their replies must be lost.
    detector: faults('bought-CreateProvisionedModelThroughput/timeoutAfterCommit/always'),
  },
  {
    name: 'name-from-attempt',
    what: "a job's name and token derive from the activity's attempt",
    edits: [
      {
        file: 'src/activities/training/activities.ts',
        find: "import { PermanentFailure } from '../../domain/failures.js';",
        replace:
          "import { activityInfo } from '@temporalio/activity'; import { PermanentFailure } from '../../domain/failures.js';",
      },
      {
        file: 'src/activities/training/activities.ts',
        find: 'jobName: name.name,',
        replace:
          "jobName: activityInfo().attempt === 1 ? name.name : name.name + '-' + activityInfo().attempt,",
      },
      {
        file: 'src/activities/training/activities.ts',
        find: 'idempotencyToken: name.idempotencyToken,',
        replace: "idempotencyToken: name.idempotencyToken + '-' + activityInfo().attempt,",
      },
    ],
    detector: people('job/zombie/cancel'),
  },
  {
    name: 'reset-renames',
    what: 'names derive from the run ID, which a reset changes',
    edits: [
      {
        file: 'src/workflows/run.ts',
        find: 'originalRunId: workflowInfo().originalExecutionRunId,',
        replace: 'originalRunId: workflowInfo().runId,',
      },
    ],
    detector: { ...people('on-demand/reset/training-wait'), seed: 37 },
  },
  {
    name: 'stale-process-creates',
    what: 'a process that was stopped before its create goes on with it',
    edits: [
      {
        file: 'src/aws/adopt-or-create.ts',
        find: 'if (!creation.isCurrent()) {',
        replace: 'if (false) {',
      },
    ],
    detector: people('job/zombie/terminate'),
  },
  {
    name: 'obstacle-is-permanent',
    what: 'missing capacity fails the run',
    edits: [
      {
        file: 'src/aws/to-failure.ts',
        find: 'if (kind) return new Obstacle(',
        replace:
          "if (kind) return new PermanentFailure('ProviderRejected', said); if (kind) return new Obstacle(",
      },
    ],
    detector: boughtInLine,
  },
  {
    name: 'failed-look-is-failure',
    what: 'a look at a deployment that fails counts as a failed deployment',
    edits: [
      {
        file: 'src/activities/deployment/activities.ts',
        find: 'const description = await keepAlive(() => target.describe(deployment));\n      if (description === null) {',
        replace:
          "const description = await keepAlive(() => target.describe(deployment)).catch((error) => { throw new PermanentFailure('DeploymentFailed', String(error)); });\n      if (description === null) {",
      },
    ],
    detector: faults('bought-GetProvisionedModelThroughput-while-it-is-created/accessDenied/always'),
  },
];

const givingBack: readonly Defect[] = [
  {
    name: 'one-undo-skipped',
    what: 'what was bought first, the model, is not undone by the run',
    edits: [
      {
        file: 'src/workflows/purchases.ts',
        find: 'if (await this.release(undo.resource, this.run.holder, undo.what)) deleted.push(undo.resource);',
        replace:
          "if (undo.resource.kind !== 'training-job' && (await this.release(undo.resource, this.run.holder, undo.what))) deleted.push(undo.resource);",
      },
    ],
    detector: people('on-demand/cancel/register'),
  },
  {
    name: 'undo-torn-by-cancel',
    what: 'the undo runs in a scope that the cancel reaches',
    edits: [
      {
        file: 'src/workflows/purchases.ts',
        find: 'await CancellationScope.nonCancellable(async () => {\n      for (let undo',
        replace: 'await CancellationScope.cancellable(async () => {\n      for (let undo',
      },
    ],
    detector: people('on-demand/cancel/deployment-wait'),
  },
  {
    name: 'refused-delete-is-done',
    what: 'a model whose delete is refused counts as deleted',
    edits: [
      {
        file: 'src/activities/training/bedrock.ts',
        find: 'if (isNotFound(error)) return;\n    if (isConflict(error)) {',
        replace: 'if (isNotFound(error) || isConflict(error)) return;\n    if (isConflict(error)) {',
      },
    ],
    detector: faults('rejected-DeleteCustomModel/conflict/always'),
  },
  {
    name: 'superseded-kept',
    what: 'the version before last is never given back',
    edits: [
      {
        file: 'src/workflows/give-back.ts',
        find: "for (const version of superseded) await tearDownVersion(giver, version, 'superseded');",
        replace: '',
      },
    ],
    detector: faults('promoted-DeleteCustomModelDeployment-superseded/accessDenied/always'),
  },
];

const leases: readonly Defect[] = [
  {
    name: 'no-lease',
    what: 'a resource is bought without a lease',
    edits: [
      {
        file: 'src/workflows/purchases.ts',
        find: 'await lease.acquireLease(resource, claimant);',
        replace: 'claimant;',
      },
      {
        file: 'src/workflows/purchases.ts',
        find: '.handOverLease(resource, this.run.holder, to);',
        replace: '.handOverLease.name;',
      },
    ],
    detector: boughtInLine,
  },
  {
    name: 'lease-after-create',
    what: 'the lease is acquired after the create',
    edits: [
      {
        file: 'src/workflows/purchases.ts',
        find: 'const holder = await lease.acquireLease(resource, claimant);',
        replace:
          'const purchase = await create(false); const holder = await lease.acquireLease(resource, claimant);',
      },
      {
        file: 'src/workflows/purchases.ts',
        find: 'return create(false);',
        replace: 'return purchase;',
      },
    ],
    detector: people('job/slow/terminate'),
  },
  {
    name: 'lease-never-looks',
    what: 'a lease never notices that its holder is gone',
    edits: [
      {
        file: 'src/activities/leases/activities.ts',
        find: 'if (reason !== null) return reason;',
        replace: '',
      },
    ],
    detector: people('on-demand/terminate/training-wait'),
  },
  {
    name: 'no-second-look',
    what: 'a lease does not look again for a create that was under way',
    edits: [
      {
        file: 'src/workflows/lease.ts',
        find: "if (holder?.kind === 'workflow' && resource.kind !== 'model') {",
        replace: 'if (false) {',
      },
    ],
    detector: people('slow/terminate,lostReply/terminate'),
  },
  {
    name: 'hand-over-to-another',
    what: 'leases are handed to a version that does not exist',
    edits: [
      {
        file: 'src/workflows/purchases.ts',
        find: 'version: version.version };',
        replace: 'version: version.version + 1000 };',
      },
    ],
    detector: boughtInLine,
  },
  {
    name: 'no-successor',
    what: 'a lease whose holder is gone does not ask who needs the resource now',
    edits: [
      {
        file: 'src/activities/leases/activities.ts',
        find: 'if (serves && needs) return {',
        replace: 'if (false) return {',
      },
    ],
    detector: people('on-demand/terminate/hand-over'),
  },
  {
    name: 'hand-over-skipped',
    what: 'nothing is handed to the version, and the lease does not ask who needs it',
    edits: [
      {
        file: 'src/workflows/purchases.ts',
        find: '.handOverLease(resource, this.run.holder, to);',
        replace: '.handOverLease.name;',
      },
      {
        file: 'src/activities/leases/activities.ts',
        find: 'if (serves && needs) return {',
        replace: 'if (false) return {',
      },
    ],
    detector: boughtInLine,
  },
];

const sharing: readonly Defect[] = [
  {
    name: 'budget-without-lock',
    what: 'budgets are read and reserved without the lock',
    edits: [
      {
        file: 'src/activities/budgets/postgres-budgets.ts',
        find: 'select pg_advisory_xact_lock(',
        replace: 'select abs(',
      },
    ],
    detector: contention('budget/writers'),
  },
  {
    name: 'reservations-uncounted',
    what: 'what others have reserved does not count against a budget',
    edits: [
      {
        file: 'src/activities/budgets/standing.repository.ts',
        find: "coalesce(sum(greatest(estimate_usd, spent_usd)) filter (where state = 'reserved'), 0) as reserved,",
        replace: '0 as reserved,',
      },
    ],
    detector: contention('budget'),
  },
  {
    name: 'last-come-first-served',
    what: 'the line for room serves those first who came last',
    edits: [
      {
        file: 'src/activities/admission/postgres-admission-queue.ts',
        find: "others.where('position', '<', own.position)",
        replace: "others.where('position', '>', own.position)",
      },
    ],
    detector: contention('quota'),
  },
  {
    name: 'bought-again-after-give-back',
    what: 'a run that is reset buys again what it has given back',
    edits: [
      {
        file: 'src/activities/admission/in-turn.ts',
        find: '  await refuseClosed(queue, turn.ticket);\n',
        replace: '',
      },
    ],
    detector: people('on-demand/cancel-reset/validation'),
  },
  {
    name: 'promote-without-lock',
    what: 'the alias is read without its lock',
    edits: [
      {
        file: 'src/activities/registry/alias.repository.ts',
        find: '    .forUpdate()\n',
        replace: '',
      },
    ],
    detector: aliasWriters,
  },
  {
    name: 'promotion-not-atomic',
    what: 'a promotion is several statements without a transaction',
    edits: [
      {
        file: 'src/activities/registry/postgres-registry.ts',
        find: 'database.transaction().execute((transaction) => promote(transaction, author, move)),',
        replace: 'promote(database, author, move),',
      },
    ],
    detector: aliasWriters,
  },
  {
    name: 'no-run-lock',
    what: 'a run works on a model without its lock',
    edits: [
      {
        file: 'src/workflows/run.ts',
        find: 'await CancellationScope.nonCancellable(() => claim.claimLease(lock, this.holder));',
        replace: 'claim ? this.holder : this.holder;',
      },
    ],
    detector: oneModel,
  },
  {
    name: 'anybody-unlocks',
    what: "a run that was refused releases the other's lock",
    edits: [
      {
        file: 'src/workflows/lease-state.ts',
        find: 'validator: (claimant) => this.refuseStranger(claimant),\n    });\n    setHandler(recheckSignal',
        replace: 'validator: () => {},\n    });\n    setHandler(recheckSignal',
      },
    ],
    detector: oneModel,
  },
];

const serving: readonly Defect[] = [
  {
    name: 'swap-without-asking',
    what: 'a deployment that was pointed at another model is taken at its word',
    edits: [
      {
        file: 'src/activities/deployment/activities.ts',
        find: 'return keepAlive(() => askAfterSwap(providers, deployment));',
        replace: 'return { serves: true, problem: null };',
      },
    ],
    detector: faults('swapped-Converse-after-the-swap/throttle/first'),
  },
  {
    name: 'swap-not-put-back',
    what: 'nobody puts the champion back when a run vanishes in the middle of a swap',
    edits: [
      {
        file: 'src/workflows/lease.ts',
        find: 'await removal.restoreChampion(resource);',
        replace: '',
      },
    ],
    detector: people('swap/terminate/swap-wait'),
  },
  {
    name: 'swap-not-swept',
    what: 'no sweep puts the champion back when the lease of the run lock has vanished, too',
    edits: [
      {
        file: 'src/workflows/sweep-orphans.ts',
        find: "if (patched('sweep-champions')) await sweep.champions();",
        replace: '',
      },
    ],
    detector: people('swap/terminate-all/swap-wait'),
  },
  {
    name: 'lost-candidate-kept',
    what: 'a run that vanishes while it gives its model back leaves a candidate without one in the registry',
    edits: [
      {
        file: 'src/workflows/lease.ts',
        find: "if (patched('lost-candidates')) await removal.forgetLostCandidates(holder, resource.model);",
        replace: '',
      },
    ],
    // Where exactly the run is hit is a matter of moments, so several cases are tried.
    detector: people('cancel-terminate/register,cancel-terminate/validation'),
  },
  {
    name: 'secret-in-history',
    what: 'a credential stands in the result of an activity',
    edits: [
      {
        file: 'src/activities/run-spec/resolve.ts',
        find: 'cloud: dependencies.cloud,',
        replace: "cloud: dependencies.cloud + ' ' + process.env.AWS_SECRET_ACCESS_KEY,",
      },
    ],
    detector: people('on-demand/cancel/register'),
  },
];

export const defects: readonly Defect[] = [...buying, ...givingBack, ...leases, ...sharing, ...serving];
