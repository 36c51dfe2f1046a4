import type { MeasuredParity } from '../../activities/parity/activities.js';
import { describeConversion } from '../../domain/artifact.js';
import type { DeploymentReference } from '../../domain/deployment.js';
import type { Verdict } from '../../domain/evaluation/evaluation.js';
import type { ModelVersion } from '../../domain/model-version.js';
import { decisiveFindings } from '../../domain/parity.js';
import type { ResolvedRunSpec } from '../../domain/run-spec.js';
import { compute, validation } from '../proxies.js';
import type { Run } from '../run.js';
import { queueMs } from './deadlines.js';

/**
 * Proves that the converted file does what was trained, before anything serves it: part of the stage `conversion`.
 * What needed no conversion has passed.
 */
export async function fileParity(run: Run, spec: ResolvedRunSpec, version: ModelVersion): Promise<Verdict> {
  const { conversion, deadlines } = spec;
  if (!conversion) return 'passed';
  return run.stage('conversion', 'ConversionFailed', async (stage) => {
    const converted = stage.note;
    stage.note = `${converted}; is being compared with the trained model`;
    run.show();
    const formats = [describeConversion(conversion), ...conversion.compare].join(', ');
    const measured = await compute(
      `Compare ${formats} with the trained model`,
      deadlines.conversionMinutes * 60_000,
      queueMs(spec),
    ).measureParity({ spec, version, author: run.author });
    stage.note = `${converted}; ${judge(run, measured)}`;
    return measured.verdict;
  });
}

/** Proves that the deployment answers as its file does; what was never compared has passed. */
export async function servedParity(
  run: Run,
  spec: ResolvedRunSpec,
  version: ModelVersion,
  deployment: DeploymentReference,
): Promise<Verdict> {
  // A run that began before there were conversions knows of no artifact at all.
  if (!version.artifact) return 'passed';
  const minutes = spec.deadlines.validationMinutes;
  const measured = await validation(
    'Compare what is served with its file',
    minutes * 60_000,
  ).measureServedParity({ spec, version, deployment, author: run.author });
  if (measured === null) return 'passed';
  run.note('validation', judge(run, measured));
  return measured.verdict;
}

/** Shows what was measured; returns it in words. */
function judge(run: Run, { verdict, rows, reportUri }: MeasuredParity): string {
  run.state.parity = rows;
  if (verdict === 'passed') return 'parity passed';
  run.state.verdict = verdict;
  run.state.report = reportUri;
  return `parity ${verdict}: ${decisiveFindings(rows).join(' ')}`;
}
