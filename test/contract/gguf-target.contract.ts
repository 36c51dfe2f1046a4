import { beforeAll, describe, expect, test } from 'vitest';
import type { ModelQuestion } from '../../src/activities/inference/client.js';
import type { DeploymentReference } from '../../src/domain/deployment.js';
import { type GgufMachine, sha256Of } from '../local/support/gguf-machine.js';

export interface GgufTargetFixture {
  readonly machine: GgufMachine;
  /** A GGUF file that can be served; each call another one. */
  newFile(): Promise<Buffer>;
  /** Somebody puts another file in the place of what a ready deployment serves. */
  forge(deployment: DeploymentReference, other: Buffer): Promise<void>;
  /** Names of whatever a deployment leaves where it was served: files, processes, tags. */
  remains(): Promise<string[]>;
}

/** Holds every target that serves GGUF files of the object store to what it promises beyond `DeploymentTarget`. */
export function describeGgufTarget(name: string, setup: () => Promise<GgufTargetFixture>): void {
  describe(`target of GGUF files: ${name}`, () => {
    let fixture: GgufTargetFixture;
    beforeAll(async () => {
      fixture = await setup();
    });

    test('refuses a file whose bytes are not those of its manifest, and serves nothing', async () => {
      const { machine, newFile } = fixture;
      const file = await newFile();
      const sha256 = '0'.repeat(64);
      const modelId = await machine.storeModel('swapped', file, { sha256 });
      const deployment = await machine.newTarget().create(machine.request('swapped', modelId));
      const failed = await machine.until(deployment, ({ status }) => status === 'failed');
      expect(failed.failureMessage).toMatch(new RegExp(`SHA-256 ${sha256Of(file)}.* with ${sha256}`));
      await expect(machine.newClient().ask(questionTo(deployment.deploymentId))).rejects.toThrow();
      await machine.newTarget().delete('swapped');
      await expect.poll(() => fixture.remains(), { timeout: machine.readyWithinMs }).toEqual([]);
    });

    test('refuses a file that was cut off on its way into the object store', async () => {
      const { machine, newFile } = fixture;
      const file = await newFile();
      const whole = { sha256: sha256Of(file), bytes: file.length };
      const modelId = await machine.storeModel('cut', file.subarray(0, file.length - 1000), whole);
      const deployment = await machine.newTarget().create(machine.request('cut', modelId));
      const failed = await machine.until(deployment, ({ status }) => status === 'failed');
      expect(failed.failureMessage).toContain(`it has ${file.length - 1000} bytes`);
      await machine.newTarget().delete('cut');
      await expect.poll(() => fixture.remains(), { timeout: machine.readyWithinMs }).toEqual([]);
    });

    test.each([
      [
        'an adapter without its base model',
        { format: 'adapter', base: undefined },
        /is an adapter.* names no file of that\. Convert the model again/,
      ],
      ['a file without a hash', { sha256: 'unknown' }, /sha256: found "unknown"; allowed: .*64 hexadecimal/],
    ])('refuses %s at once', async (_what, manifest, message) => {
      const { machine, newFile } = fixture;
      const modelId = await machine.storeModel('odd', await newFile(), manifest);
      await expect(machine.newTarget().create(machine.request('odd', modelId))).rejects.toMatchObject({
        type: 'ProviderRejected',
        message: expect.stringMatching(message),
      });
    });

    test('answers only for the file that was deployed', async () => {
      const { machine, newFile, forge } = fixture;
      const deployment = await machine.deploy('honest', await machine.storeModel('honest', await newFile()));
      const client = machine.newClient();
      expect((await client.ask(questionTo(deployment.deploymentId))).outputTokens).toBeGreaterThan(0);
      const forged = await newFile();
      await forge(deployment, forged);
      for (const asking of [client, machine.newClient()]) {
        await expect(asking.ask(questionTo(deployment.deploymentId))).rejects.toMatchObject({
          type: 'ProviderRejected',
          message: expect.stringContaining(`SHA-256 ${sha256Of(forged)}`),
        });
      }
      await machine.newTarget().delete('honest');
    });

    test('does not answer for an earlier deployment of the same name', async () => {
      const { machine, newFile } = fixture;
      const modelId = await machine.storeModel('again', await newFile());
      const before = await machine.deploy('again', modelId);
      await machine.newTarget().delete('again');
      const after = await machine.deploy('again', modelId);
      expect(await machine.newTarget().describe(before)).toBeNull();
      const client = machine.newClient();
      await expect(client.ask(questionTo(before.deploymentId))).rejects.toThrow('no such deployment');
      expect((await client.ask(questionTo(after.deploymentId))).outputTokens).toBeGreaterThan(0);
      await machine.newTarget().delete('again');
    });

    test('keeps what another deployment of the same file needs, and nothing after the last', async () => {
      const { machine, newFile } = fixture;
      const modelId = await machine.storeModel('shared', await newFile());
      const one = await machine.deploy('one', modelId);
      const two = await machine.deploy('two', modelId);
      await machine.newTarget().delete(one.name);
      expect((await machine.newClient().ask(questionTo(two.deploymentId))).outputTokens).toBeGreaterThan(0);
      await machine.newTarget().delete(two.name);
      await expect.poll(() => fixture.remains(), { timeout: machine.readyWithinMs }).toEqual([]);
    });

    test('leaves nothing of a deployment that is deleted while its file is on its way', async () => {
      const { machine, newFile } = fixture;
      const modelId = await machine.storeModel('early', await newFile());
      const target = machine.newTarget();
      const deployment = await target.create(machine.request('early', modelId));
      await target.describe(deployment);
      await target.delete('early');
      await expect.poll(() => fixture.remains(), { timeout: machine.readyWithinMs }).toEqual([]);
    });
  });
}

function questionTo(modelId: string): ModelQuestion {
  const turns = [{ role: 'user' as const, text: 'Which colour has item 3?' }];
  return { modelId, system: null, turns, maxTokens: 8, temperature: 0 };
}
