import type {
  BedrockClient,
  GetCustomModelDeploymentCommand,
  GetProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';
import { watchClock } from './response-clock.js';

/** An answer, and the service's clock when it was given. */
export interface Dated<Output> {
  readonly output: Output;
  readonly observedAt: string;
}

/** Sends a command and also returns the service's clock: hours are billed by it. */
export async function sendDated<Output extends object>(
  bedrock: BedrockClient,
  command: GetCustomModelDeploymentCommand | GetProvisionedModelThroughputCommand,
): Promise<Dated<Output>> {
  const observedAt = watchClock(command);
  // The two commands differ only in their input and output, which nothing here looks at.
  const output = await bedrock.send(command as GetCustomModelDeploymentCommand);
  return { output: output as object as Output, observedAt: observedAt() };
}
