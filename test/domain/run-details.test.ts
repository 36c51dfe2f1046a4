import { describe, expect, it } from 'vitest';
import { renderDetails } from '../../src/domain/run-details.js';
import { newRunState, nextCommand, outcomes, type RunState, toResult } from '../../src/domain/run-state.js';

function stateOf(more: Partial<RunState> = {}): RunState {
  const state = newRunState({
    workflowId: 'fine-tune/example',
    workflowType: 'fineTune',
    taskQueue: 'anneal',
  });
  return Object.assign(state, { recipe: 'example', model: 'example', cloud: 'sandbox' }, more);
}

/** Without the blanks that keep the columns apart. */
const rendered = (state: RunState) => renderDetails(state).replaceAll('\u00a0', '');

describe('what the Web UI shows of a run', () => {
  it('is a checklist with money, the gate, what bills, what was undone and the next command', () => {
    const details = rendered(
      stateOf({
        spend: [{ what: 'training', usd: 1.5 }],
        budgetUsd: 25,
        verdict: 'failed',
        checks: [
          {
            metric: 'raw.blocks',
            op: '==',
            threshold: 0,
            value: 2,
            interval: null,
            samples: 10,
            critical: true,
            status: 'fail',
            explanation: 'raw.blocks is 2',
          },
        ],
        billing: [{ resource: 'deployment d1', usdPerHour: 60, owner: 'champion' }],
        undone: [{ what: 'delete deployment d2', problem: null }],
      }),
    );
    expect(details).toContain('| [ ] | dataset | waiting |');
    expect(details).toContain('spent 1.50 USD, budget 25.00 USD');
    expect(details).toContain('| raw.blocks | 2 | == 0 | fail |');
    expect(details).toContain('| `deployment d1` | 60.00 USD | champion |');
    expect(details).toContain('- delete deployment d2: done');
    expect(details).toContain('temporal workflow query --workflow-id fine-tune/example --type status');
  });

  it('holds no two dollar signs, between which the Web UI would see a formula', () => {
    const state = stateOf({
      awaiting: 'approve training for about $0.72',
      failure: 'above budgetUsd $1,000.5',
    });
    expect(renderDetails(state)).not.toContain('$');
    expect(rendered(stateOf({ failure: 'above budgetUsd $1,000.5.' }))).toContain('budgetUsd 1,000.5 USD.');
  });

  it('lists no stage of an ended run as waiting', () => {
    expect(rendered(stateOf({ outcome: 'unchanged' }))).toContain('| [-] | approval | not reached |');
    expect(rendered(stateOf({ failure: 'InvalidInput: …' }))).not.toContain('waiting');
  });

  it('says that a sandbox is simulated, and does not say so of AWS', () => {
    expect(renderDetails(stateOf())).toContain('simulated');
    expect(renderDetails(stateOf({ cloud: 'aws' }))).not.toContain('simulated');
  });

  it('stays below what the server takes, whatever a run accumulates', () => {
    const undone = Array.from({ length: 2000 }, (_, index) => ({
      what: `delete deployment ${index}`,
      problem: '€'.repeat(500),
    }));
    expect(Buffer.byteLength(renderDetails(stateOf({ undone })))).toBeLessThan(20_000);
  });

  it('keeps a table whole when a note holds table characters and line breaks', () => {
    const state = stateOf();
    const [first] = state.stages;
    if (first) first.note = 'a | b\nc';
    expect(rendered(state)).toContain('| dataset | a \\| b c |');
  });
});

describe('the next command', () => {
  it('is one that can be typed, for every outcome', () => {
    for (const outcome of [...outcomes, null])
      expect(nextCommand(stateOf({ outcome }))).toMatch(/^temporal workflow /);
  });

  it('is to approve while the run waits for a person', () => {
    expect(nextCommand(stateOf({ awaiting: 'approve training' }))).toContain('--name approve');
  });
});

describe('the result', () => {
  it('adds up what was spent, in cents that never show less than it is', () => {
    const result = toResult(
      stateOf({
        spend: [
          { what: 'a', usd: 0.1 },
          { what: 'b', usd: 0.20001 },
        ],
      }),
    );
    expect(result.spendUsd).toBe(0.3001);
  });
});
