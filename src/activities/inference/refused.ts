import { PermanentFailure } from '../../domain/failures.js';

/** A question that can never be answered, and why. */
export function refused(modelId: string, reason: string): PermanentFailure {
  return new PermanentFailure('ProviderRejected', `ProviderRejected: could not ask ${modelId}: ${reason}.`, [
    { modelId },
  ]);
}
