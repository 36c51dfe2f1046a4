import { AsyncLocalStorage } from 'node:async_hooks';
import { BedrockClient } from '@aws-sdk/client-bedrock';
import { S3Client } from '@aws-sdk/client-s3';
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor, WorkerInterceptors } from '@temporalio/worker';
import pg from 'pg';
import type { ArmedKill, KillControl, KillPoint } from './kill-control.js';

interface Execution {
  readonly kills: readonly ArmedKill[];
  readonly mutations: string[];
}

const executions = new AsyncLocalStorage<Execution>();

/**
 * Watches every activity of this process and every call it makes to AWS, Postgres and Temporal, and kills
 * the process (SIGKILL, to itself) where the control folder says so.
 */
export function installKillHooks(control: KillControl): Pick<WorkerInterceptors, 'activity' | 'client'> {
  const hook: Hook = { kill: (kills, point) => killAt(control, kills, point) };
  hookAws(hook);
  hookPostgres(hook);
  return {
    activity: [() => ({ inbound: activityInterceptor(control, hook) })],
    client: { workflow: [temporalInterceptor(hook)] },
  };
}

interface Hook {
  kill(kills: readonly ArmedKill[], point: KillPoint): void;
}

function activityInterceptor(control: KillControl, hook: Hook): ActivityInboundCallsInterceptor {
  return {
    execute: async (input, next) => {
      const { workflowExecution, workflowType, activityType, activityId, attempt } = activityInfo();
      const workflowId = workflowExecution?.workflowId ?? '';
      const kills = control
        .armed()
        .filter(
          (kill) =>
            kill.activityType === activityType &&
            workflowId.startsWith(kill.workflow) &&
            (kill.activityId === undefined || kill.activityId === activityId),
        );
      const execution: Execution = { kills, mutations: [] };
      const ended = (how: 'completed' | 'failed' | 'waiting') => {
        control.record({
          workflowId,
          workflowType: workflowType ?? '',
          activityType,
          activityId,
          attempt,
          mutations: execution.mutations,
          ended: how,
        });
        if (how !== 'waiting') hook.kill(kills, 'before-completion');
      };
      hook.kill(
        kills.filter(({ mutates }) => !mutates),
        'before-call',
      );
      try {
        const result = await executions.run(execution, () => next(input));
        ended('completed');
        return result;
      } catch (error) {
        const isWait =
          cancellationSignal().aborted ||
          (error instanceof ApplicationFailure && error.category === 'BENIGN');
        ended(isWait ? 'waiting' : 'failed');
        throw error;
      }
    },
  };
}

/** Stands around one call that changes something. */
async function mutate<T>(hook: Hook, name: string, call: () => Promise<T>): Promise<T> {
  const execution = executions.getStore();
  if (!execution) return call();
  hook.kill(execution.kills, 'before-call');
  const answer = await call();
  execution.mutations.push(name);
  hook.kill(execution.kills, 'after-commit');
  return answer;
}

type Send = (command: object, ...more: unknown[]) => Promise<unknown>;

const changesSomething = /^(Create|Update|Delete|Put|Stop|Upload|Complete|Abort|Tag)/;

/** All clients of the SDK share one `send`; which command it is given says what is asked. */
function hookAws(hook: Hook): void {
  for (const { prototype } of [BedrockClient, S3Client] as readonly { prototype: object }[]) {
    const owner = Object.getPrototypeOf(prototype) as { send: Send };
    const { send } = owner;
    Object.defineProperty(prototype, 'send', {
      value(this: object, command: object, ...more: unknown[]) {
        const name = command.constructor.name.replace(/Command$/, '');
        const call = () => send.call(this, command, ...more);
        return changesSomething.test(name) ? mutate(hook, `aws:${name}`, call) : call();
      },
    });
  }
}

type Query = (this: pg.Client, ...parameters: unknown[]) => unknown;

/** In a transaction only its commit changes anything. */
function hookPostgres(hook: Hook): void {
  const prototype = pg.Client.prototype as unknown as { query: Query };
  const { query } = prototype;
  const inTransaction = new WeakSet<pg.Client>();
  prototype.query = function (this: pg.Client, ...parameters: unknown[]) {
    const verb = /^\s*(\w+)/.exec(textOf(parameters[0]))?.[1]?.toLowerCase() ?? '';
    const call = () => query.apply(this, parameters);
    if (verb === 'begin' || verb === 'start') inTransaction.add(this);
    const commits = verb === 'commit' && inTransaction.has(this);
    if (verb === 'commit' || verb === 'rollback') inTransaction.delete(this);
    const writes = ['insert', 'update', 'delete'].includes(verb) && !inTransaction.has(this);
    const isPromised = typeof parameters.at(-1) !== 'function';
    if (!isPromised || !(commits || writes)) return call();
    return mutate(hook, `postgres:${verb}`, () => call() as Promise<unknown>);
  };
}

function textOf(first: unknown): string {
  if (typeof first === 'string') return first;
  const text = (first as { text?: unknown } | null)?.text;
  return typeof text === 'string' ? text : '';
}

function temporalInterceptor(hook: Hook): WorkflowClientInterceptor {
  return {
    startUpdateWithStart: (input, next) =>
      mutate(hook, `temporal:${input.updateName}WithStart`, () => next(input)),
    startUpdate: (input, next) => mutate(hook, `temporal:${input.updateName}`, () => next(input)),
    signal: (input, next) => mutate(hook, `temporal:${input.signalName}`, () => next(input)),
    start: (input, next) => mutate(hook, 'temporal:start', () => next(input)),
  };
}

function killAt(control: KillControl, kills: readonly ArmedKill[], point: KillPoint): void {
  const kill = kills.find((candidate) => candidate.point === point);
  if (!kill || control.fired().has(kill.id)) return;
  control.fire(kill.id);
  process.kill(process.pid, 'SIGKILL');
}
