import type { DatasetManifest } from './dataset.js';
import type { BillingResource } from './deployment.js';
import type { Verdict } from './evaluation/evaluation.js';
import type { CheckResult } from './evaluation/gate-policy.js';
import type { LossCurve } from './loss-curve.js';
import type { CostEstimate, CostItem } from './money.js';
import { totalUsd } from './money.js';
import type { ParityRow } from './parity.js';

export const stages = [
  'dataset',
  'guardrails',
  'approval',
  'training',
  'conversion',
  'deployment',
  'validation',
  'promotion',
] as const;
export type Stage = (typeof stages)[number];

export type StageStatus = 'waiting' | 'running' | 'done' | 'skipped' | 'failed' | 'cancelled';

export interface StageState {
  readonly name: Stage;
  status: StageStatus;
  /** One line for people: what came of it, or what it is doing. */
  note: string;
}

/**
 * How a completed run ended. The first five are `fineTune`'s; the others belong to the workflows that do
 * one stage alone.
 */
export const outcomes = [
  'promoted',
  'rejected',
  'rolledBack',
  'unchanged',
  'declined',
  'built',
  'trained',
  'converted',
  'deployed',
  'validated',
  'tornDown',
] as const;
export type Outcome = (typeof outcomes)[number];

/** What became of one undo; `problem` is null where it was done. */
export interface UndoResult {
  readonly what: string;
  readonly problem: string | null;
}

/** Everything a run knows about itself; the query, the result and the Web UI's details are views of it. */
export interface RunState {
  readonly workflowId: string;
  readonly workflowType: string;
  readonly taskQueue: string;
  recipe: string;
  model: string;
  /** `sandbox` where everything bought is simulated. */
  cloud: string;
  stage: Stage | null;
  readonly stages: StageState[];
  dataset: Pick<DatasetManifest, 'manifestUri' | 'sha256' | 'records' | 'counts' | 'guardrails'> | null;
  estimate: CostEstimate | null;
  budgetUsd: number | null;
  job: {
    name: string;
    id: string | null;
    status: string;
    trainingLoss: number | null;
    validationLoss: number | null;
    lossCurve: LossCurve | null;
  } | null;
  deployment: { name: string; id: string | null; status: string; usdPerHour: number } | null;
  /** What the run is waiting for a person to do; null when nothing. */
  awaiting: string | null;
  /** What the run is waiting for that no person has to decide: quota, capacity, another run; null when nothing. */
  waitingFor: string | null;
  approval: { decision: 'approved' | 'rejected'; by: string; notes: string } | null;
  version: number | null;
  verdict: Verdict | null;
  checks: readonly CheckResult[];
  /** How far the converted model is from the trained one; empty where nothing was converted or measured yet. */
  parity: readonly ParityRow[];
  report: string | null;
  champion: number | null;
  previousChampion: number | null;
  readonly spend: CostItem[];
  billing: readonly BillingResource[];
  undone: UndoResult[];
  outcome: Outcome | null;
  failure: string | null;
}

/** What `fineTune` returns, and what the query `status` answers while it runs. */
export interface RunResult {
  readonly outcome: Outcome | null;
  readonly model: string;
  readonly recipe: string;
  readonly version: number | null;
  readonly verdict: Verdict | null;
  readonly champion: number | null;
  readonly previousChampion: number | null;
  readonly dataset: { readonly uri: string; readonly sha256: string; readonly records: number } | null;
  readonly report: string | null;
  readonly spendUsd: number;
  readonly spend: readonly CostItem[];
  readonly billing: readonly BillingResource[];
  readonly undone: readonly UndoResult[];
  /** `sandbox` marks every figure here as simulated. */
  readonly cloud: string;
  readonly next: string;
}

export interface RunStatus extends RunResult {
  readonly stage: Stage | null;
  readonly stages: readonly StageState[];
  readonly job: RunState['job'];
  readonly deployment: RunState['deployment'];
  readonly parity: RunState['parity'];
  readonly awaiting: string | null;
  readonly waitingFor: string | null;
}

export function newRunState(identity: Pick<RunState, 'workflowId' | 'workflowType' | 'taskQueue'>): RunState {
  return {
    ...identity,
    recipe: '',
    model: '',
    cloud: '',
    stage: null,
    stages: stages.map((name) => ({ name, status: 'waiting', note: '' })),
    dataset: null,
    estimate: null,
    budgetUsd: null,
    job: null,
    deployment: null,
    awaiting: null,
    waitingFor: null,
    approval: null,
    version: null,
    verdict: null,
    checks: [],
    parity: [],
    report: null,
    champion: null,
    previousChampion: null,
    spend: [],
    billing: [],
    undone: [],
    outcome: null,
    failure: null,
  };
}

export function toResult(state: RunState): RunResult {
  return {
    outcome: state.outcome,
    model: state.model,
    recipe: state.recipe,
    version: state.version,
    verdict: state.verdict,
    champion: state.champion,
    previousChampion: state.previousChampion,
    dataset: state.dataset && {
      uri: state.dataset.manifestUri,
      sha256: state.dataset.sha256,
      records: state.dataset.records,
    },
    report: state.report,
    spendUsd: totalUsd(state.spend),
    spend: state.spend,
    billing: state.billing,
    undone: state.undone,
    cloud: state.cloud,
    next: nextCommand(state),
  };
}

export function toStatus(state: RunState): RunStatus {
  return {
    ...toResult(state),
    stage: state.stage,
    stages: state.stages,
    job: state.job,
    deployment: state.deployment,
    parity: state.parity,
    awaiting: state.awaiting,
    waitingFor: state.waitingFor,
  };
}

/** The exact command that a person would most likely type next. */
export function nextCommand(state: RunState): string {
  const start = (type: string, input: object) =>
    `temporal workflow start --task-queue ${state.taskQueue} --type ${type} --workflow-id ${kebab(type)}/${state.model} --input '${JSON.stringify(input)}'`;
  if (state.awaiting) {
    return `temporal workflow update execute --workflow-id ${state.workflowId} --name approve --input '{"by":"your name"}'`;
  }
  const model = { model: state.model };
  switch (state.outcome) {
    case 'promoted':
      return state.previousChampion === null
        ? start('validate', { ...model, version: state.version })
        : start('rollback', model);
    case 'unchanged':
      return start('fineTune', { recipe: state.recipe, ...model, force: true });
    case 'rejected':
    case 'declined':
    case 'rolledBack':
    case 'tornDown':
      return start('fineTune', { recipe: state.recipe, ...model });
    case 'built':
      return start('train', {
        recipe: state.recipe,
        ...model,
        dataset: { source: { kind: 'manifest', uri: state.dataset?.manifestUri } },
      });
    case 'trained':
      return start('deploy', { ...model, version: state.version });
    case 'converted':
      return start(state.verdict === 'passed' ? 'deploy' : 'convert', { ...model, version: state.version });
    case 'deployed':
      return start('validate', { ...model, version: state.version });
    case 'validated':
      return start('promote', { ...model, version: state.version });
    case null:
      return `temporal workflow query --workflow-id ${state.workflowId} --type status`;
  }
}

/** `fineTune` as it stands in workflow IDs: `fine-tune`. */
function kebab(type: string): string {
  return type.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
