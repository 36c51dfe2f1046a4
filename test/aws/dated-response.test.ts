import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBedrockOnDemandTarget } from '../../src/activities/deployment/bedrock-on-demand.js';
import { createAwsClients } from '../../src/aws/clients.js';
import { prices } from '../support/bedrock-training.js';

const arn = 'arn:aws:bedrock:us-east-1:000000000000:custom-model-deployment/abcdefghijkl';
let server: Server;

/** A service whose clock is far from ours, which no running cloud can be made to be. */
beforeAll(async () => {
  server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', date: 'Tue, 01 Jan 2030 02:30:00 GMT' });
    response.end(
      JSON.stringify({
        customModelDeploymentArn: arn,
        modelDeploymentName: 'served',
        modelArn:
          'arn:aws:bedrock:us-east-1:000000000000:custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl',
        createdAt: '2030-01-01T00:00:00Z',
        status: 'Active',
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

test('the age of a deployment is told by the clock of the service, not by ours', async () => {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clients = createAwsClients({ cloud: 'sandbox', endpoint, region: 'us-east-1' });
  const target = createBedrockOnDemandTarget({ bedrock: clients.bedrock, prices });
  const reference = { target: target.name, name: 'served', deploymentId: arn };
  expect(await target.describe(reference)).toMatchObject({
    createdAt: '2030-01-01T00:00:00.000Z',
    observedAt: '2030-01-01T02:30:00.000Z',
  });
  clients.destroy();
});
