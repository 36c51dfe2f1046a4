import { findProblems } from '../api/validation.js';
import type { Call, Perform } from '../call.js';
import type { Reply } from '../http/message.js';
import { sageMakerErrorReply } from '../sagemaker/service.js';
import type { State } from '../state.js';
import type { World } from '../world.js';
import { falsify, progressShown } from './false-answers.js';
import { applyFate, decideFate, type Fate, type FateFault } from './fate.js';
import { createOperations, serviceModels } from './operations.js';
import { worldAt } from './past.js';
import { bedrockReply } from './replies.js';

/** A resource fault that a rule lays on what a call makes or changes. */
export interface Doom {
  readonly rule: number;
  readonly fault: FateFault;
}

export interface FateWatch {
  /** Called whenever a call is answered falsely because of a fate. */
  readonly onShown: (fate: Fate, call: Call) => void;
  /** Called when a fate is new, has changed or is over, so that it is kept. */
  readonly onChange: (fate: Fate, isOver: boolean) => void;
  /** Called with an answer of ours that breaks AWS's model. */
  readonly onInvalidResponse: (message: string) => void;
}

/** The fates of all resources, and the answers that show them. */
export class Fates {
  constructor(
    private readonly world: World,
    readonly all: Fate[],
    private readonly watch: FateWatch,
  ) {
    for (const fate of all) applyFate(world.state, fate);
  }

  /** Performs a call as the fates have it, and dooms what the call makes or changes. */
  async perform(call: Call, dooms: readonly Doom[], perform: Perform): Promise<Reply> {
    if (this.all.length === 0 && dooms.length === 0) return perform();
    const names = call.names();
    const concerned = this.all.filter((fate) => names.includes(fate.arn));
    const refusal = this.#refuse(call, concerned);
    if (refusal) return refusal;
    const known = new Set(dooms.length > 0 ? arnsOf(this.world.state) : []);
    const reply = await this.#performInTime(call, concerned, perform);
    if (reply.status < 300) this.#endOldFates(call, concerned);
    if (dooms.length > 0 && reply.status < 300) this.#doom(call, dooms, names, known);
    const shown = falsify(call, reply, this.all, this.world.now());
    for (const fate of shown) this.watch.onShown(fate, call);
    if (shown.length > 0) this.#check(call, reply);
    return reply;
  }

  /** An answer that denies the resource, or null. */
  #refuse(call: Call, concerned: readonly Fate[]): Reply | null {
    for (const fate of concerned) {
      const { fault } = fate;
      const isHidden = fault.kind === 'notFoundAfterCreate';
      if (isHidden && /^(Describe|Get(ModelCust|CustomModelDep|Provisioned))/.test(call.operation)) {
        this.#show(fate, call);
        if (call.service === 'sagemaker') {
          return sageMakerErrorReply(400, 'ValidationException', 'Requested resource not found.');
        }
        return bedrockReply(call, 'ResourceNotFoundException', `There is no resource ${fate.arn}.`);
      }
      if (isFailedCreation(fate, this.world.now()) && call.service === 'bedrock-runtime') {
        this.watch.onShown(fate, call);
        return bedrockReply(call, 'ValidationException', `${fate.arn} is Failed and cannot be invoked.`);
      }
    }
    return null;
  }

  /** Answers once from the time of its creation what has already been seen to be further. */
  async #performInTime(call: Call, concerned: readonly Fate[], perform: Perform): Promise<Reply> {
    const fate = concerned.find((each) => each.fault.kind === 'backwards');
    if (!fate || !/^Get(ModelCust|CustomModelDep|Provisioned)/.test(call.operation)) return perform();
    if (fate.hasAdvanced) {
      this.#show(fate, call);
      return perform(worldAt(this.world, fate.at));
    }
    const reply = await perform();
    fate.hasAdvanced = progressShown(reply) > 0;
    if (fate.hasAdvanced) this.watch.onChange(fate, false);
    return reply;
  }

  #show(fate: Fate, call: Call): void {
    fate.falseReads += 1;
    if (isSpent(fate)) this.all.splice(this.all.indexOf(fate), 1);
    this.watch.onShown(fate, call);
    this.watch.onChange(fate, isSpent(fate));
  }

  /** Whether a deployment or throughput is Failed by now because it was doomed at its creation. */
  hasFailed(arn: string): boolean {
    return this.all.some((fate) => fate.arn === arn && isFailedCreation(fate, this.world.now()));
  }

  /** A failed update is over when the next one begins. */
  #endOldFates(call: Call, concerned: readonly Fate[]): void {
    if (!call.operation.startsWith('Update')) return;
    for (const fate of concerned) {
      if (fate.operation !== call.operation) continue;
      this.all.splice(this.all.indexOf(fate), 1);
      this.watch.onChange(fate, true);
    }
  }

  #doom(call: Call, dooms: readonly Doom[], names: readonly string[], known: ReadonlySet<string>): void {
    const arns = arnsOf(this.world.state);
    const isCreate = (createOperations as readonly string[]).includes(call.operation);
    const arn = isCreate
      ? arns.find((each) => !known.has(each) && names.some((name) => nameOf(this.world.state, each) === name))
      : arns.find((each) => names.includes(each) && isOfKind(each, call.operation));
    if (!arn) return;
    for (const { rule, fault } of dooms) {
      const fate = decideFate(this.world, call, fault, rule, arn);
      this.all.push(fate);
      this.watch.onChange(fate, false);
    }
  }

  #check(call: Call, reply: Reply): void {
    const model = serviceModels[call.service];
    const shape = model?.operations[call.operation]?.output?.shape;
    if (!model || !shape || !Buffer.isBuffer(reply.body)) return;
    const problems = findProblems(model, shape, JSON.parse(reply.body.toString('utf8')));
    if (problems.length > 0)
      this.watch.onInvalidResponse(`A fault: ${call.operation}: ${problems.join('; ')}`);
  }
}

function isFailedCreation({ fault, targetModelArn, failsAt }: Fate, now: number): boolean {
  return fault.kind === 'deploymentFailed' && targetModelArn === null && failsAt !== null && now >= failsAt;
}

/** Whether a fate has shown itself as often as it was to; it is forgotten then. */
function isSpent({ fault, falseReads }: Fate): boolean {
  return falseReads >= (fault.kind === 'notFoundAfterCreate' ? fault.reads : 1);
}

function arnsOf(state: State): string[] {
  return [
    ...state.jobs.keys(),
    ...state.trainingJobs.keys(),
    ...state.deployments.keys(),
    ...state.throughputs.keys(),
  ];
}

function nameOf(state: State, arn: string): string | undefined {
  const job = state.jobs.get(arn)?.jobName ?? state.trainingJobs.get(arn)?.name;
  return job ?? (state.deployments.get(arn) ?? state.throughputs.get(arn))?.name;
}

/** An update of a deployment bears its model's ARN too. */
function isOfKind(arn: string, operation: string): boolean {
  if (operation.includes('TrainingJob')) return arn.includes(':training-job/');
  if (operation.includes('Job')) return arn.includes(':model-customization-job/');
  return arn.includes(
    operation.includes('Provisioned') ? ':provisioned-model/' : ':custom-model-deployment/',
  );
}
