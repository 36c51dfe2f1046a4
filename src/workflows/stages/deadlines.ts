import type { ResolvedRunSpec } from '../../domain/run-spec.js';

/** Blips of a provider last minutes; what lasts longer is shown and waited for in line. */
const firstTryMs = 10 * 60_000;
/** Hours that a lease lasts beyond the deadlines of its run: a person may have asked for a little more. */
const graceHours = 2;

/** How long a create is tried: at first until a blip is over, in line until the run spec's deadline. */
export function purchaseMs({ deadlines }: ResolvedRunSpec, isPatient: boolean): number {
  const deadlineMs = deadlines.purchaseHours * 3_600_000;
  return isPatient ? deadlineMs : Math.min(deadlineMs, firstTryMs);
}

/** How long work on our own machines may wait for its turn: room there is bought from nobody, and waited for as well. */
export function queueMs({ deadlines }: ResolvedRunSpec): number {
  return deadlines.purchaseHours * 3_600_000;
}

/** Hours from the purchase of a deployment until its run has ended, at the latest. */
export function serviceHours({ deadlines, approval }: ResolvedRunSpec): number {
  const { purchaseHours, deploymentMinutes, validationMinutes, approvalHours } = deadlines;
  const asked = approval === 'none' ? 0 : approvalHours;
  return purchaseHours + (2 * deploymentMinutes + validationMinutes) / 60 + asked + graceHours;
}
