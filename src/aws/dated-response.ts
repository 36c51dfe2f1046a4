import type {
  BedrockClient,
  GetCustomModelDeploymentCommand,
  GetProvisionedModelThroughputCommand,
} from '@aws-sdk/client-bedrock';

/** An answer, and the service's clock when it was given. */
export interface Dated<Output> {
  readonly output: Output;
  readonly observedAt: string;
}

/**
 * Sends a command and also returns the service's clock from the reply's `Date` header, ISO-8601. Hours are
 * billed by that clock, which need not be this machine's; where a reply has no date, this machine's is taken.
 */
export async function sendDated<Output extends object>(
  bedrock: BedrockClient,
  command: GetCustomModelDeploymentCommand | GetProvisionedModelThroughputCommand,
): Promise<Dated<Output>> {
  // The two commands differ only in their input and output, which this middleware does not look at.
  const { middlewareStack } = command as GetCustomModelDeploymentCommand;
  let date: string | undefined;
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      date = headers?.date;
      return result;
    },
    { step: 'deserialize', name: 'readDate', priority: 'low' },
  );
  const output = await bedrock.send(command as GetCustomModelDeploymentCommand);
  return { output: output as object as Output, observedAt: toInstant(date) };
}

function toInstant(date: string | undefined): string {
  const parsed = date === undefined ? Number.NaN : Date.parse(date);
  return new Date(Number.isNaN(parsed) ? Date.now() : parsed).toISOString();
}
