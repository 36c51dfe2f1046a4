import { declaredErrorStatus, loadServiceModel, type ServiceModel } from '../api/model.js';
import type { Call } from '../call.js';
import type { FaultKind } from './script.js';

export type ServiceName = Call['service'];

/** AWS's models of the services that have one. */
export const serviceModels: Readonly<Partial<Record<ServiceName, ServiceModel>>> = {
  bedrock: loadServiceModel('bedrock'),
  'bedrock-runtime': loadServiceModel('bedrock-runtime'),
  sagemaker: loadServiceModel('sagemaker'),
};

/** Every operation that a fault can be laid on, by service. */
const operations: Readonly<Record<ServiceName, readonly string[]>> = {
  bedrock: Object.keys(serviceModels.bedrock?.operations ?? {}),
  'bedrock-runtime': ['Converse', 'InvokeModel'],
  s3: [
    'ListBuckets',
    'CreateBucket',
    'HeadBucket',
    'DeleteBucket',
    'GetBucketLocation',
    'ListObjectsV2',
    'DeleteObjects',
    'ListMultipartUploads',
    'PutObject',
    'GetObject',
    'HeadObject',
    'DeleteObject',
    'CreateMultipartUpload',
    'UploadPart',
    'CompleteMultipartUpload',
    'AbortMultipartUpload',
    'ListParts',
  ],
  sagemaker: [
    'CreateTrainingJob',
    'DescribeTrainingJob',
    'StopTrainingJob',
    'ListTrainingJobs',
    'AddTags',
    'ListTags',
  ],
  sts: ['GetCallerIdentity'],
};

const bedrockCreates = [
  'CreateModelCustomizationJob',
  'CreateProvisionedModelThroughput',
  'CreateCustomModelDeployment',
] as const;

export const createOperations = [...bedrockCreates, 'CreateTrainingJob'] as const;

export const updateOperations = ['UpdateProvisionedModelThroughput', 'UpdateCustomModelDeployment'] as const;

const answersOfS3 = [
  ...['ListBuckets', 'GetBucketLocation', 'ListObjectsV2', 'ListMultipartUploads', 'ListParts', 'GetObject'],
  ...['DeleteObjects', 'CreateMultipartUpload', 'CompleteMultipartUpload'],
];

/** The kinds that do not go everywhere; all others do. */
const restricted: Partial<Record<FaultKind, (service: ServiceName, operation: string) => boolean>> = {
  conflict: (service, operation) =>
    declares(service, operation, 'ConflictException') ||
    declares(service, operation, 'ResourceInUse') ||
    ['CreateBucket', 'DeleteBucket', 'PutObject', 'CompleteMultipartUpload'].includes(operation),
  capacity: (service, operation) =>
    declares(service, operation, 'ServiceQuotaExceededException') ||
    declares(service, operation, 'ResourceLimitExceeded') ||
    operation === 'Converse',
  malformedBody: (service, operation) => service !== 's3' || answersOfS3.includes(operation),
  staleList: among([
    'ListModelCustomizationJobs',
    'ListCustomModels',
    'ListProvisionedModelThroughputs',
    'ListCustomModelDeployments',
    'ListTagsForResource',
    'ListTrainingJobs',
    'ListTags',
  ]),
  notFoundAfterCreate: among(createOperations),
  backwards: among(bedrockCreates),
  stuck: among([
    ...createOperations,
    ...updateOperations,
    'StopModelCustomizationJob',
    'StopTrainingJob',
    'DeleteCustomModelDeployment',
  ]),
  completedWithoutArtifact: among(['CreateModelCustomizationJob']),
  jobFailed: among(['CreateModelCustomizationJob', 'CreateTrainingJob']),
  interrupted: among(['CreateTrainingJob']),
  deploymentFailed: among([
    'CreateProvisionedModelThroughput',
    'CreateCustomModelDeployment',
    ...updateOperations,
  ]),
};

function among(names: readonly string[]) {
  return (_: ServiceName, operation: string) => names.includes(operation);
}

function declares(service: ServiceName, operation: string, error: string): boolean {
  return declaredStatus(service, operation, error) !== null;
}

/** The status of an error that an operation declares in AWS's model, else null. */
export function declaredStatus(service: ServiceName, operation: string, error: string): number | null {
  const model = serviceModels[service];
  const declared = model?.operations[operation];
  if (!model || !declared) return null;
  const status = declaredErrorStatus(model, declared, error);
  // Errors in JSON 1.1 have one status, which its model leaves out.
  const isDeclared = declared.errors?.some(({ shape }) => shape === error) ?? false;
  return status ?? (isDeclared ? 400 : null);
}

/** Whether a fault of this kind can be laid on an operation. */
export function allows(kind: FaultKind, service: ServiceName, operation: string): boolean {
  if (!operations[service].includes(operation)) return false;
  return restricted[kind]?.(service, operation) ?? true;
}

/** Whether a rule's `operation` means this one: `*`, `S3:*`, `S3:PutObject` or `PutObject`. */
export function selects(pattern: string, service: ServiceName, operation: string): boolean {
  const [name = '', prefix] = pattern.split(':').reverse();
  if (prefix !== undefined && prefix.toLowerCase() !== service) return false;
  return name === '*' || name === operation;
}

/** Every operation that a pattern means, as `service:Operation`. */
export function operationsOf(pattern: string): { service: ServiceName; operation: string }[] {
  return (Object.keys(operations) as ServiceName[]).flatMap((service) =>
    operations[service]
      .filter((operation) => selects(pattern, service, operation))
      .map((operation) => ({ service, operation })),
  );
}

/** What a rule's `operation` may be, for an error message. */
export const patterns: readonly string[] = [
  '*',
  ...Object.keys(operations).map((service) => `${service}:*`),
  ...Object.values(operations).flat(),
];
