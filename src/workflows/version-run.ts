import { CancellationScope } from '@temporalio/workflow';
import type { ModelVersion } from '../domain/model-version.js';
import { type ResolvedRunSpec, type VersionSpec, versionSpecSchema } from '../domain/run-spec.js';
import type { Outcome, RunResult } from '../domain/run-state.js';
import { parseOrFail } from './failures.js';
import { registry, runSpecs } from './proxies.js';
import { Run } from './run.js';

export interface VersionStory {
  readonly run: Run;
  readonly input: VersionSpec;
  readonly spec: ResolvedRunSpec;
  readonly version: ModelVersion;
}

/** What the workflows on an existing version share: input, version, run lock, billing at the end. */
export async function runOnVersion(
  input: unknown,
  which: 'newest' | 'previous-champion',
  story: (story: VersionStory) => Promise<Outcome>,
): Promise<RunResult> {
  const versionSpec = parseOrFail(versionSpecSchema, input, 'the input');
  const run = new Run();
  return run.settle(async () => {
    const resolve = runSpecs('Find the version').resolveVersionSpec(versionSpec, run.identity, which);
    const { spec, version } = await resolve;
    run.adopt(spec);
    run.state.version = version.version;
    run.state.verdict = version.verdict;
    run.state.report = version.reportUri;
    await run.lockModel(spec);
    const outcome = await story({ run, input: versionSpec, spec, version });
    // What the story did is done: a cancel that comes after it does not make it undone.
    run.state.billing = await CancellationScope.nonCancellable(() =>
      registry('What bills now?').describeBilling(spec.model),
    );
    return outcome;
  });
}
