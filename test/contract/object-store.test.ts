import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3';
import { afterAll } from 'vitest';
import { createS3ObjectStore } from '../../src/activities/dataset/s3-object-store.js';
import { MemoryObjectStore } from '../support/memory-object-store.js';
import { startTestSandbox, type TestSandbox } from '../support/sandbox.js';
import { describeObjectInventory, describeObjectStore } from './object-store.contract.js';

let sandbox: TestSandbox;
let inventorySandbox: TestSandbox;

describeObjectStore('S3', async () => {
  sandbox = await startTestSandbox();
  return createS3ObjectStore({ s3: sandbox.newClients().s3, bucket: 'object-store-contract' });
});

describeObjectInventory('S3', async () => {
  inventorySandbox = await startTestSandbox();
  const { s3 } = inventorySandbox.newClients();
  const bucket = 'object-inventory-contract';
  return {
    store: createS3ObjectStore({ s3, bucket }),
    begin: async (Key) => {
      await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
    },
  };
});

// What other tests stand on keeps the same promises.
describeObjectStore('memory', async () => new MemoryObjectStore());

afterAll(async () => {
  await sandbox?.close();
  await inventorySandbox?.close();
});
