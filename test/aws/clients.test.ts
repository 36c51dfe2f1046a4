import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { assertAccount } from '../../src/aws/account.js';
import { createAwsClients } from '../../src/aws/clients.js';
import { loadPrices } from '../../src/aws/prices.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';

const account = '111122223333';

describe('clients', () => {
  let sandbox: TestSandbox;
  beforeAll(async () => {
    sandbox = await startTestSandbox({ accountId: account });
  });
  afterAll(() => sandbox.close());
  afterEach(() => vi.unstubAllEnvs());

  test('of the sandbox go to the endpoint they are given, whatever the environment says', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
    vi.stubEnv('AWS_ENDPOINT_URL_STS', 'http://127.0.0.1:1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAREAL');
    const clients = createAwsClients({ cloud: 'sandbox', endpoint: sandbox.endpoint, region: 'us-east-1' });
    await expect(assertAccount(clients, account)).resolves.toBeUndefined();
    expect((await clients.bedrock.config.credentials()).accessKeyId).toBe('sandbox');
    clients.destroy();
  });

  test('of the sandbox are never made without an endpoint, nor those of AWS with one', () => {
    expect(() => createAwsClients({ cloud: 'sandbox', endpoint: null, region: 'us-east-1' })).toThrow(
      /never means AWS/,
    );
    expect(() => createAwsClients({ cloud: 'aws', endpoint: sandbox.endpoint, region: 'us-east-1' })).toThrow(
      /takes no endpoint/,
    );
  });

  test('are refused when their credentials belong to another account', async () => {
    const clients = createAwsClients({ cloud: 'sandbox', endpoint: sandbox.endpoint, region: 'us-east-1' });
    await expect(assertAccount(clients, '999988887777')).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(
        /belong to account 111122223333 \(arn:aws:iam::111122223333:.*\); allowed: 999988887777 \(ANNEAL_AWS_ACCOUNT\)/,
      ),
    });
    clients.destroy();
  });
});

describe('the price table', () => {
  test('that cannot be read, or has a wrong row, is refused with the place', () => {
    expect(() => loadPrices('prices/none.json')).toThrow(/prices\/none\.json cannot be read: ENOENT/);
    expect(() => loadPrices('package.json')).toThrow(
      /the price table package\.json has .*\n.*rows: found nothing/s,
    );
  });
});
