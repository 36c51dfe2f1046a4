import { isJsonObject, type JsonObject } from '../../domain/json.js';
import type { Call } from '../call.js';
import type { Reply } from '../http/message.js';
import type { Fate } from './fate.js';

/** Rewrites what an answer shows of fated resources; returns the fates that show in it. */
export function falsify(call: Call, reply: Reply, fates: readonly Fate[], now: number): readonly Fate[] {
  if (call.service !== 'bedrock' || reply.status !== 200 || !Buffer.isBuffer(reply.body)) return [];
  if (!/^(Get|List)/.test(call.operation)) return [];
  const answer = JSON.parse(reply.body.toString('utf8')) as JsonObject;
  const rows = [answer, ...Object.values(answer).flatMap((value) => (Array.isArray(value) ? value : []))];
  const shown = fates.filter(
    (fate) => rows.filter((row) => falsifyRow(row, fate, now, row !== answer)).length > 0,
  );
  if (shown.length > 0) Object.assign(reply, { body: Buffer.from(JSON.stringify(answer)) });
  return shown;
}

function falsifyRow(row: unknown, fate: Fate, now: number, isListed: boolean): boolean {
  if (!isJsonObject(row)) return false;
  const { fault, arn } = fate;
  if (fault.kind === 'completedWithoutArtifact' && fault.missing !== 'model' && row.jobArn === arn) {
    // The model's own description names its job too.
    if (row.status !== 'Completed') return false;
    delete row.outputModelArn;
    delete row.customModelArn;
    return true;
  }
  if (fault.kind !== 'deploymentFailed' || fate.failsAt === null || now < fate.failsAt) return false;
  if (row.customModelDeploymentArn !== arn && row.provisionedModelArn !== arn) return false;
  showFailure(row, fate, fault.failureMessage, isListed);
  return true;
}

function showFailure(
  row: JsonObject,
  { targetModelArn }: Fate,
  failureMessage: string,
  isListed: boolean,
): void {
  if (targetModelArn === null) {
    row.status = 'Failed';
  } else if ('provisionedModelArn' in row) {
    row.desiredModelArn = targetModelArn;
  } else if (isJsonObject(row.updateDetails)) {
    row.updateDetails = { modelArn: targetModelArn, updateStatus: 'UpdateFailed' };
  }
  // The summary of a throughput has no room for it.
  if (!(isListed && 'provisionedModelArn' in row)) row.failureMessage = failureMessage;
}

/** How far a job, a deployment or a throughput shows itself to be; 0 is where it began. */
export function progressShown(reply: Reply): number {
  if (reply.status !== 200 || !Buffer.isBuffer(reply.body)) return 0;
  const answer = JSON.parse(reply.body.toString('utf8')) as JsonObject;
  if (answer.status !== 'InProgress') return answer.status === 'Creating' ? 0 : 1;
  const details = isJsonObject(answer.statusDetails) ? answer.statusDetails : {};
  const { validationDetails } = details;
  return isJsonObject(validationDetails) && validationDetails.status === 'Completed' ? 1 : 0;
}
