import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/workers/config.js';
import { createDependencies } from '../../src/workers/dependencies.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';

describe('the configuration', () => {
  it('never takes a missing endpoint for AWS', () => {
    expect(() => loadConfig({})).toThrow(
      /ANNEAL_AWS_ENDPOINT is missing; name the sandbox, or set ANNEAL_CLOUD=aws/,
    );
  });

  it('asks for the account that may be charged before it allows AWS', () => {
    expect(() => loadConfig({ ANNEAL_CLOUD: 'aws' })).toThrow(/ANNEAL_AWS_ACCOUNT is missing/);
    expect(() => loadConfig({ ANNEAL_CLOUD: 'aws', ANNEAL_AWS_ACCOUNT: '1234' })).toThrow(/12 digits/);
  });

  it('refuses AWS and an endpoint together', () => {
    const both = {
      ANNEAL_CLOUD: 'aws',
      ANNEAL_AWS_ACCOUNT: '111122223333',
      ANNEAL_AWS_ENDPOINT: 'http://127.0.0.1:1',
    };
    expect(() => loadConfig(both)).toThrow(/although ANNEAL_CLOUD=aws/);
  });

  it('lists everything that is wrong at once', () => {
    const wrong = { ANNEAL_CLOUD: 'gcp', ANNEAL_LEASE_WATCH_SECONDS: '-1', ANNEAL_WAITING_SECONDS: 'often' };
    expect(() => loadConfig(wrong)).toThrow(
      /ANNEAL_CLOUD[\s\S]*ANNEAL_LEASE_WATCH_SECONDS[\s\S]*ANNEAL_WAITING_SECONDS/,
    );
  });

  it('waits as the environment says', () => {
    const config = loadConfig({
      ANNEAL_AWS_ENDPOINT: 'http://127.0.0.1:1',
      ANNEAL_WAITING_SECONDS: '1,2.5,3',
    });
    expect(config.waiting).toEqual({ firstMinuteSeconds: 1, firstHourSeconds: 2.5, laterSeconds: 3 });
  });

  it.each(['https://me:secret@models.test/v1', 'https://:secret@models.test/v1'])(
    'takes no password in the address of an endpoint, and does not repeat it: %s',
    (url) => {
      const load = () =>
        loadConfig({ ANNEAL_AWS_ENDPOINT: 'http://127.0.0.1:1', ANNEAL_OPENAI_COMPATIBLE_URL: url });
      expect(load).toThrow(/ANNEAL_OPENAI_COMPATIBLE_URL holds a user name or password; name a key/);
      expect(load).not.toThrow(/secret/);
    },
  );

  it('trains on this machine with the Python below its home, one job at a time, unless told otherwise', () => {
    const environment = { ANNEAL_AWS_ENDPOINT: 'http://127.0.0.1:1', ANNEAL_HOME: '/srv/anneal' };
    expect(loadConfig(environment)).toMatchObject({
      localPython: '/srv/anneal/local/venv/bin/python',
      localTrainers: 1,
    });
    expect(() => loadConfig({ ...environment, ANNEAL_LOCAL_TRAINERS: '0' })).toThrow(/ANNEAL_LOCAL_TRAINERS/);
  });
});

describe('the guard against spending by mistake', () => {
  let sandbox: TestSandbox;
  beforeAll(async () => {
    sandbox = await startTestSandbox();
    process.env.AWS_ENDPOINT_URL = sandbox.endpoint;
    process.env.AWS_ACCESS_KEY_ID = 'test';
    process.env.AWS_SECRET_ACCESS_KEY = 'test';
  });
  afterAll(async () => {
    for (const name of ['AWS_ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
      delete process.env[name];
    await sandbox.close();
  });

  const forAccount = (account: string) => loadConfig({ ANNEAL_CLOUD: 'aws', ANNEAL_AWS_ACCOUNT: account });

  it('does not start when the caller belongs to another account than the one named', async () => {
    await expect(createDependencies(forAccount('111122223333'))).rejects.toThrow(
      /000000000000[\s\S]*111122223333|111122223333[\s\S]*000000000000/,
    );
  });

  it('starts when the account is the one named', async () => {
    const dependencies = await createDependencies(forAccount('000000000000'));
    expect(dependencies.cloud).toBe('aws');
    await dependencies.close();
  });
});
