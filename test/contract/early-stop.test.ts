import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../src/client/repository-root.js';

interface Outcome {
  readonly reason: string | null;
  readonly step: number;
  readonly best: { readonly step: number; readonly loss: number; readonly adapter: { of: number } } | null;
}

/** Feeds losses, one a step, to what watches a training; it is put away and restored after every step. */
const program = `
import json, sys
from anneal_training.early_stop import EarlyStop
hyperparameters, training, validation = json.loads(sys.argv[1])
watch = EarlyStop(hyperparameters)
step = 0
while step < max(len(training), len(validation)) and watch.reason is None:
    step += 1
    if step <= len(training): watch.add_training_loss(training[step - 1], step)
    if step <= len(validation): watch.add_validation_loss(validation[step - 1], step, lambda: {"of": step})
    state = json.loads(json.dumps(watch.state()))
    watch = EarlyStop(hyperparameters)
    watch.restore(state)
print(json.dumps({"reason": watch.reason, "step": step, "best": watch.best}))
`;

function follow(change: object, training: readonly number[], validation: readonly number[]): Outcome {
  const off = { plateauEvaluations: null, plateauImprovement: null, spikeFactor: null };
  const input = JSON.stringify([{ ...off, ...change }, training, validation]);
  const output = execFileSync('python3', ['-c', program, input], {
    cwd: join(repositoryRoot, 'training'),
    encoding: 'utf8',
  });
  return JSON.parse(output) as Outcome;
}

describe('early stop', () => {
  it('is off unless it is asked for, and then keeps nothing but the last adapter', () => {
    expect(follow({}, [1, 50, 900], [1, 2, 3])).toEqual({ reason: null, step: 3, best: null });
  });

  it('ends on a plateau, says why, and keeps the adapter with the lowest validation loss', () => {
    const ended = follow({ plateauEvaluations: 2 }, [], [3, 2, 2.5, 2.6, 1]);
    expect(ended).toMatchObject({ step: 4, best: { step: 2, loss: 2, adapter: { of: 2 } } });
    expect(ended.reason).toBe(
      'the validation loss did not fall by more than 0 in 2 evaluations; its lowest is 2, at step 2',
    );
  });

  it('counts anew after every fall, and takes only falls that are large enough', () => {
    expect(follow({ plateauEvaluations: 2 }, [], [3, 3.1, 2.9, 3, 2.8, 2.9]).reason).toBeNull();
    const small = follow({ plateauEvaluations: 2, plateauImprovement: 0.5 }, [], [3, 2.9, 2.8, 2.7]);
    expect(small).toMatchObject({ step: 3, best: { step: 3 } });
  });

  it('ends on a spike of the training loss, not on one bad step', () => {
    const calm = Array.from({ length: 30 }, () => 1);
    expect(follow({ spikeFactor: 2 }, [...calm, 3, 1, 1], [1]).reason).toBeNull();
    const spike = follow({ spikeFactor: 2 }, [...calm, 5, 5, 5, 5, 5, 5], [1]);
    expect(spike).toMatchObject({ step: 33, best: { step: 1 } });
    expect(spike.reason).toMatch(/^the training loss rose to 2\.084 in the mean of the last steps, from 1 /);
  });
});
