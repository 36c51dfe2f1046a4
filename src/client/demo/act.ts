import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Recipe } from '../../domain/recipe.js';
import type { RunResult, RunStatus } from '../../domain/run-state.js';
import type { LedgerEntry, SandboxLedger, SandboxState } from '../../sandbox/admin.js';
import { pathFromClone } from '../repository-root.js';
import type { Stack } from '../stack/stack.js';
import { type Followed, followRun } from './follow-run.js';
import { TemporalCommand } from './temporal-command.js';

/** A line of the table at the demo's end. */
export interface ActSummary {
  readonly run: string;
  readonly outcome: string;
  readonly verdict: string;
  readonly spendUsd: number;
  readonly report: string;
}

/** What every act of the demo works with. */
export class Stage {
  readonly temporal: TemporalCommand;
  readonly summaries: ActSummary[] = [];

  constructor(
    readonly stack: Stack,
    readonly client: Client,
    readonly recipe: Recipe,
    readonly print: (line: string) => void,
    readonly signal: AbortSignal,
  ) {
    this.temporal = new TemporalCommand(stack, print, signal);
  }

  /** Starts a lifecycle with the `temporal` CLI and follows it to its end. */
  async fineTune(
    workflowId: string,
    summary: string,
    input: object,
    onStatus?: (status: RunStatus) => Promise<void>,
  ): Promise<Followed> {
    const args = ['--task-queue', 'anneal', '--type', 'fineTune', '--workflow-id', workflowId];
    const started = await this.temporal.run(
      ...['workflow', 'start', ...args, '--fail-existing'],
      ...['--static-summary', summary, '--input', JSON.stringify(input)],
    );
    if (started.exitCode !== 0) throw new Error(started.output);
    const { client, print, signal } = this;
    return followRun({ client, workflowId, print, signal, onStatus });
  }

  /** One request through the inference path; returns what the CLI printed as a value. */
  async infer(workflowId: string, input: object): Promise<Record<string, unknown>> {
    const args = ['--task-queue', 'anneal', '--type', 'infer', '--workflow-id', workflowId];
    const { exitCode, output } = await this.temporal.run(
      ...['workflow', 'execute', ...args, '--output', 'json', '--input', JSON.stringify(input)],
    );
    if (exitCode !== 0) throw new Error(output);
    const { result } = JSON.parse(output) as { result: Record<string, unknown> };
    return result;
  }

  async ledger(): Promise<readonly LedgerEntry[]> {
    return (await this.admin<SandboxLedger>('ledger')).entries;
  }

  async cloudState(): Promise<SandboxState> {
    return this.admin<SandboxState>('state');
  }

  /** Adds a completed run to the table at the end. */
  async summarize(run: string, result: RunResult): Promise<void> {
    this.summaries.push({
      run,
      outcome: result.outcome ?? '',
      verdict: result.verdict ?? '',
      spendUsd: result.spendUsd,
      report: await this.saveReport(result),
    });
  }

  /** Copies a stored report into the home folder, where a browser finds it. */
  async saveReport(result: RunResult): Promise<string> {
    if (!result.report) return '';
    const response = await fetch(result.report.replace('s3://', `${this.stack.awsEndpoint}/`));
    const directory = join(this.stack.home.path, 'reports');
    mkdirSync(directory, { recursive: true });
    const path = join(directory, `${result.model}-version-${result.version}.html`);
    writeFileSync(path, await response.text());
    return pathFromClone(path);
  }

  private async admin<T>(what: string): Promise<T> {
    const response = await fetch(`${this.stack.awsEndpoint}/_anneal/${what}`);
    if (!response.ok) throw new Error(`The local cloud answers ${response.status} to ${what}`);
    return (await response.json()) as T;
  }
}

/** Fails the demo when something it shows is not so. */
export function mustHold(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The demo did not show what it should: ${what}`);
}
