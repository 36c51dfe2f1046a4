import { BedrockClient } from '@aws-sdk/client-bedrock';
import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { S3Client } from '@aws-sdk/client-s3';
import { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { STSClient } from '@aws-sdk/client-sts';
import { type CallLimit, limitCalls } from './call-limit.js';

export interface AwsSettings {
  readonly cloud: 'sandbox' | 'aws';
  /** Required by the sandbox, refused by AWS. */
  readonly endpoint: string | null;
  readonly region: string;
  /** What the control plane may be asked, counted with everybody else; without it there is no limit of ours. */
  readonly callLimit?: CallLimit;
}

export interface AwsClients {
  readonly bedrock: BedrockClient;
  readonly bedrockRuntime: BedrockRuntimeClient;
  readonly s3: S3Client;
  readonly sagemaker: SageMakerClient;
  readonly sts: STSClient;
  /** Closes every connection. */
  destroy(): void;
}

/** The clients' own tries, for blips of seconds; what lasts longer is left to Temporal. */
const maxAttempts = 3;
const connectionTimeoutMs = 5_000;
const controlTimeoutMs = 30_000;
/** An upload part of several megabytes over a slow line. */
const storageTimeoutMs = 120_000;
/** A long answer from a model that has just been loaded. */
const inferenceTimeoutMs = 120_000;

/**
 * Makes one client per service, to be shared by everything in the process: each keeps its own retry budget.
 *
 * In the sandbox the endpoint given here wins over every `AWS_ENDPOINT_URL` of the environment, and the
 * credentials are made up, so that nothing of it can reach AWS. With `aws` no endpoint is set: the SDK's own
 * chain decides, including private endpoints that the environment names.
 */
export function createAwsClients({ cloud, endpoint, region, callLimit }: AwsSettings): AwsClients {
  if (cloud === 'sandbox' && !endpoint) {
    throw new Error('The sandbox needs an endpoint; a missing endpoint never means AWS');
  }
  if (cloud === 'aws' && endpoint) {
    throw new Error(`Real AWS takes no endpoint, but ${endpoint} is given; remove one of the two`);
  }
  const shared = {
    region,
    maxAttempts,
    ...(cloud === 'sandbox' && {
      endpoint: endpoint as string,
      credentials: { accessKeyId: 'sandbox', secretAccessKey: 'sandbox' },
    }),
  };
  const withTimeout = (requestTimeout: number) => ({
    connectionTimeout: connectionTimeoutMs,
    requestTimeout,
    throwOnRequestTimeout: true,
  });
  const bedrock = new BedrockClient({ ...shared, requestHandler: withTimeout(controlTimeoutMs) });
  const sagemaker = new SageMakerClient({ ...shared, requestHandler: withTimeout(controlTimeoutMs) });
  if (callLimit) {
    bedrock.middlewareStack.use(limitCalls(callLimit));
    sagemaker.middlewareStack.use(limitCalls(callLimit));
  }
  const sts = new STSClient({ ...shared, requestHandler: withTimeout(controlTimeoutMs) });
  const s3 = new S3Client({
    ...shared,
    forcePathStyle: cloud === 'sandbox',
    requestHandler: withTimeout(storageTimeoutMs),
  });
  // This client speaks HTTP/2, whose handler has no separate timeout for connecting.
  const bedrockRuntime = new BedrockRuntimeClient({
    ...shared,
    requestHandler: { requestTimeout: inferenceTimeoutMs },
  });
  return {
    bedrock,
    bedrockRuntime,
    s3,
    sagemaker,
    sts,
    destroy: () => {
      for (const client of [bedrock, bedrockRuntime, s3, sagemaker, sts]) client.destroy();
    },
  };
}
