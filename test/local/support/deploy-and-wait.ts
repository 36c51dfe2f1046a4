import { createS3ObjectStore } from '../../../src/activities/dataset/s3-object-store.js';
import { createModelFiles } from '../../../src/activities/deployment/gguf/model-files.js';
import { createServers } from '../../../src/activities/deployment/llama-server/servers.js';
import { createLlamaServerTarget } from '../../../src/activities/deployment/llama-server/target.js';
import { createAwsClients } from '../../../src/aws/clients.js';
import type { DeploymentRequest } from '../../../src/domain/deployment.js';

/** A worker that makes one deployment on a llama-server, looks at it and then waits to be killed. */
const { endpoint, bucket, home, tools, request } = JSON.parse(process.argv[2] ?? '') as {
  endpoint: string;
  bucket: string;
  home: string;
  tools: { program: string; python: string };
  request: DeploymentRequest;
};
const { s3 } = createAwsClients({ cloud: 'sandbox', endpoint, region: 'us-east-1' });
const objects = createS3ObjectStore({ s3, bucket });
const files = createModelFiles({ objects, home });
const target = createLlamaServerTarget({
  objects,
  home,
  files,
  tools,
  servers: createServers({ home, files, ...tools }),
});
const deployment = await target.create(request);
setInterval(async () => {
  const description = await target.describe(deployment);
  if (description?.status === 'ready') process.stdout.write('ready\n');
}, 100);
