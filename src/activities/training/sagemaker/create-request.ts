import { type Channel, CreateTrainingJobCommand, type TrainingInputMode } from '@aws-sdk/client-sagemaker';
import { toAwsTags } from '../../../aws/tags.js';
import type { TrainingJobRequest } from '../../../domain/training-job.js';
import type { SageMakerTrainingSettings } from './settings.js';
import { metricDefinitions } from './status.js';

/** Unpacks the code channel and gives way to the program that knows the container's folders. */
const entrypoint = [
  'bash',
  '-ec',
  // One line, as AWS's pattern demands. Another root than the container's own serves to run it elsewhere.
  [
    `root="\${ANNEAL_CONTAINER_ROOT:-/opt/ml}"`,
    'mkdir -p "$root/code"',
    'tar -xzf "$root/input/data/code/sourcedir.tar.gz" -C "$root/code"',
    'cd "$root/code"',
    'exec python3 -m anneal_training.container',
  ].join('; '),
];

export interface TrainingSources {
  readonly codeUri: string;
  readonly requestHash: string;
}

export function checkpointsUri(request: Pick<TrainingJobRequest, 'outputUri'>): string {
  return `${folderOf(request)}checkpoints/`;
}

/** Where SageMaker writes: it adds the job's name and `output/model.tar.gz`. */
export function rawOutputUri(request: Pick<TrainingJobRequest, 'outputUri'>): string {
  return `${folderOf(request)}sagemaker`;
}

export function folderOf({ outputUri }: Pick<TrainingJobRequest, 'outputUri'>): string {
  return outputUri.endsWith('/') ? outputUri : `${outputUri}/`;
}

export function toCreateCommand(
  request: TrainingJobRequest,
  { codeUri, requestHash }: TrainingSources,
): CreateTrainingJobCommand {
  const settings = request.settings as SageMakerTrainingSettings;
  const { vpcConfig, spot, maximumMinutes, maximumWaitMinutes } = settings;
  return new CreateTrainingJobCommand({
    TrainingJobName: request.jobName,
    RoleArn: settings.roleArn,
    AlgorithmSpecification: {
      TrainingImage: settings.image,
      TrainingInputMode: inputMode,
      ContainerEntrypoint: entrypoint,
      MetricDefinitions: metricDefinitions,
    },
    HyperParameters: { ...request.hyperparameters },
    InputDataConfig: [
      channel('code', codeUri),
      channel('base-model', settings.baseModelUri),
      channel('training', request.training.uri),
      ...(request.validation ? [channel('validation', request.validation.uri)] : []),
    ],
    OutputDataConfig: {
      S3OutputPath: rawOutputUri(request),
      CompressionType: 'GZIP',
      KmsKeyId: settings.kmsKeyId,
    },
    CheckpointConfig: { S3Uri: checkpointsUri(request), LocalPath: '/opt/ml/checkpoints' },
    ResourceConfig: {
      InstanceType: settings.instanceType as 'ml.g5.xlarge',
      InstanceCount: 1,
      VolumeSizeInGB: settings.volumeGb,
      VolumeKmsKeyId: settings.volumeKmsKeyId,
    },
    StoppingCondition: {
      MaxRuntimeInSeconds: maximumMinutes * 60,
      MaxWaitTimeInSeconds: spot ? maximumWaitMinutes * 60 : undefined,
    },
    EnableManagedSpotTraining: spot,
    EnableNetworkIsolation: settings.networkIsolation,
    VpcConfig: vpcConfig && { Subnets: vpcConfig.subnetIds, SecurityGroupIds: vpcConfig.securityGroupIds },
    Tags: toAwsTags(request.tags, { ...request, requestHash }).map(({ key, value }) => ({
      Key: key,
      Value: value,
    })),
  });
}

const inputMode: TrainingInputMode = 'File';

function channel(name: string, uri: string): Channel {
  return {
    ChannelName: name,
    DataSource: {
      S3DataSource: { S3DataType: 'S3Prefix', S3Uri: uri, S3DataDistributionType: 'FullyReplicated' },
    },
  };
}
