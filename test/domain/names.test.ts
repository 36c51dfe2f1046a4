import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runKey } from '../../src/activities/run-spec/resolve.js';
import { deploymentName, trainingJobName } from '../../src/domain/names.js';
import { nameSchema } from '../../src/domain/run-spec.js';

const model = fc
  .stringMatching(/^[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,3}$/)
  .filter((name) => nameSchema.safeParse(name).success);
const identity = fc.record({ workflowId: fc.string({ minLength: 1 }), originalRunId: fc.uuid() });

describe('names of paid resources', () => {
  it('fit what Bedrock allows for jobs, models, deployments and tokens', () => {
    fc.assert(
      fc.property(model, identity, fc.integer({ min: 1, max: 99 }), (name, run, attempt) => {
        for (const resource of [
          trainingJobName(name, runKey(run), attempt),
          deploymentName(name, runKey(run), attempt),
        ]) {
          expect(resource.name).toMatch(/^([0-9a-zA-Z][_-]?){1,63}$/);
          expect(resource.name.length).toBeLessThanOrEqual(63);
          expect(resource.idempotencyToken).toMatch(/^[a-zA-Z0-9]([-a-zA-Z0-9]{0,254}[a-zA-Z0-9])?$/);
        }
      }),
    );
  });

  it('are the same for one run whenever they are made, and differ between runs, stages and attempts', () => {
    fc.assert(
      fc.property(model, identity, identity, (name, run, other) => {
        const names = (key: string) =>
          [1, 2].flatMap((attempt) => [
            trainingJobName(name, key, attempt).name,
            deploymentName(name, key, attempt).name,
          ]);
        expect(names(runKey(run))).toEqual(names(runKey({ ...run })));
        expect(new Set(names(runKey(run))).size).toBe(4);
        if (run.originalRunId !== other.originalRunId) expect(runKey(run)).not.toBe(runKey(other));
      }),
    );
  });
});
