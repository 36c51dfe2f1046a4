import { afterAll } from 'vitest';
import { createS3ObjectStore } from '../../src/activities/dataset/s3-object-store.js';
import { MemoryObjectStore } from '../support/memory-object-store.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';
import { describeObjectStore } from './object-store.contract.js';

let sandbox: TestSandbox;

describeObjectStore('S3', async () => {
  sandbox = await startTestSandbox();
  return createS3ObjectStore({ s3: sandbox.newClients().s3, bucket: 'object-store-contract' });
});

// What other tests stand on keeps the same promises.
describeObjectStore('memory', async () => new MemoryObjectStore());

afterAll(() => sandbox?.close());
