import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { PermanentFailure } from '../domain/failures.js';
import type { AwsClients } from './clients.js';
import { toFailure } from './to-failure.js';

/** Refuses to go on unless the credentials belong to the account that the configuration allows to be charged. */
export async function assertAccount({ sts }: Pick<AwsClients, 'sts'>, account: string): Promise<void> {
  const identity = await sts.send(new GetCallerIdentityCommand({})).catch((error: unknown) => {
    throw toFailure(error, 'ask AWS whose credentials these are');
  });
  if (identity.Account === account) return;
  throw new PermanentFailure(
    'InvalidInput',
    `InvalidInput: the AWS credentials belong to account ${identity.Account ?? 'unknown'} (${identity.Arn ?? 'unknown caller'}); allowed: ${account} (ANNEAL_AWS_ACCOUNT). Use credentials of ${account}, or name the other account there.`,
    [{ found: identity.Account ?? null, caller: identity.Arn ?? null, allowed: account }],
  );
}
