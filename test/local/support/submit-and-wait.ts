import { createS3ObjectStore } from '../../../src/activities/dataset/s3-object-store.js';
import { createLocalTrainingProvider } from '../../../src/activities/training/local/provider.js';
import { createAwsClients } from '../../../src/aws/clients.js';
import type { TrainingJobRequest } from '../../../src/domain/training-job.js';

/** A worker that submits one job and then waits to be killed; see `workerThatSubmits`. */
const { endpoint, bucket, request, options } = JSON.parse(process.argv[2] ?? '') as {
  endpoint: string;
  bucket: string;
  request: TrainingJobRequest;
  options: { home: string; python: string; trainingDirectory: string; trainers: number };
};
const { s3 } = createAwsClients({ cloud: 'sandbox', endpoint, region: 'us-east-1' });
const provider = createLocalTrainingProvider({ ...options, objects: createS3ObjectStore({ s3, bucket }) });
const job = await provider.submit(request);
process.stdout.write(`${JSON.stringify(job)}\n`);
setInterval(() => provider.describe(job), 100);
