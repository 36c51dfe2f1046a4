import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblems, parseInput } from '../../src/domain/parse-input.js';
import { judge, type SweepEntry, type SweepFacts, sweepSpecSchema } from '../../src/domain/sweep.js';
import {
  addOrphan,
  newSweepState,
  renderSweepDetails,
  toSweepResult,
} from '../../src/domain/sweep-report.js';

const factsArbitrary: fc.Arbitrary<SweepFacts> = fc.record({
  owner: fc.oneof(fc.constant('anneal'), fc.constant(null), fc.constantFrom('Anneal', 'anneal ', 'team')),
  isOfThisInstallation: fc.boolean(),
  ageHours: fc.oneof(fc.constant(null), fc.constant(Number.NaN), fc.double({ min: 0, max: 1000 })),
  hasLiveLease: fc.boolean(),
  isCreatorRunning: fc.boolean(),
  neededBy: fc.option(fc.constant('champion faq version 3'), { nil: null }),
});
const graceHours = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1000, noNaN: true }));

describe('what a sweep deletes', () => {
  it('is ours, past its grace, and nobody answers for it: all of that, always', () => {
    fc.assert(
      fc.property(factsArbitrary, graceHours, (facts, grace) => {
        if (judge(facts, grace) !== 'orphan') return;
        expect(facts).toMatchObject({ owner: 'anneal', isOfThisInstallation: true });
        expect(facts.ageHours).toBeGreaterThanOrEqual(grace);
        expect(facts).toMatchObject({ hasLiveLease: false, isCreatorRunning: false, neededBy: null });
      }),
      { numRuns: 2000 },
    );
  });

  it('stays as it is the moment one reason to keep it is added', () => {
    const orphan = {
      owner: 'anneal',
      isOfThisInstallation: true,
      ageHours: 2,
      hasLiveLease: false,
      isCreatorRunning: false,
      neededBy: null,
    };
    expect(judge(orphan, 1)).toBe('orphan');
    expect(judge({ ...orphan, owner: null }, 1)).toBe('foreign');
    expect(judge({ ...orphan, owner: 'anneal-staging' }, 1)).toBe('foreign');
    expect(judge({ ...orphan, isOfThisInstallation: false }, 1)).toBe('foreign');
    expect(judge({ ...orphan, ageHours: 0.99 }, 1)).toBe('young');
    expect(judge({ ...orphan, ageHours: null }, 0)).toBe('young');
    expect(judge({ ...orphan, ageHours: Number.NaN }, 0)).toBe('young');
    expect(judge({ ...orphan, hasLiveLease: true }, 1)).toBe('leased');
    expect(judge({ ...orphan, isCreatorRunning: true }, 1)).toBe('inUse');
    expect(judge({ ...orphan, neededBy: 'champion faq version 3' }, 1)).toBe('needed');
  });
});

describe('the input of a sweep', () => {
  it('is a dry run with an hour of grace unless it says otherwise', () => {
    expect(parseInput(sweepSpecSchema, {})).toEqual({
      value: { delete: false, graceMinutes: 60, datasetDays: 90, idleHours: null, releaseIdle: false },
    });
  });

  it.each([
    [{ releaseIdle: true }, /releaseIdle: found true; allowed: true only together/],
    [{ releaseIdle: true, delete: true }, /releaseIdle/],
    [{ idleHours: 0 }, /idleHours/],
    [{ graceMinutes: '60' }, /graceMinutes: found "60"/],
    [{ dryRun: false }, /dryRun: found an unknown field; allowed: delete, graceMinutes/],
  ])('%j is refused', (input, message) => {
    const parsed = parseInput(sweepSpecSchema, input);
    expect('problems' in parsed && formatProblems('the input', parsed.problems)).toMatch(message);
  });
});

describe('the report of a sweep', () => {
  const spec = { delete: false, graceMinutes: 60, datasetDays: 90, idleHours: null, releaseIdle: false };
  const entry = (number: number, action: SweepEntry['action'] = 'reported'): SweepEntry => ({
    kind: 'model',
    name: `faq-${number}`,
    model: 'faq',
    owner: 'fine-tune/faq',
    ageHours: 100,
    usdPerMonth: 1.95,
    action,
    reason: 'no lease, no running workflow and no registered version answers for it',
  });

  it('lists two hundred, counts all, and stays small', () => {
    const state = newSweepState(spec, 'anneal');
    for (let number = 0; number < 5_000; number += 1) addOrphan(state, entry(number));
    const result = toSweepResult(state, 's3://anneal/sweeps/1/report.json');
    expect(result.orphans).toHaveLength(200);
    expect(result).toMatchObject({ notListed: 4_800, counts: { orphans: 5_000 }, totalUsdPerMonth: 9750 });
    expect(JSON.stringify(result).length).toBeLessThan(100_000);
    expect(Buffer.byteLength(renderSweepDetails(state))).toBeLessThan(20_000);
    expect(renderSweepDetails(state)).not.toContain('$');
  });

  it('adds up what goes on costing money only', () => {
    const state = newSweepState({ ...spec, delete: true }, 'anneal');
    for (const action of ['deleted', 'kept', 'leasedAgain'] as const) addOrphan(state, entry(1, action));
    const { counts, totalUsdPerMonth } = toSweepResult(state, null);
    expect(totalUsdPerMonth).toBe(1.95);
    expect(counts).toMatchObject({ orphans: 2, deleted: 1, kept: 1, leasedAgain: 1 });
  });

  it('proposes the same with delete after a dry run that found something', () => {
    const state = newSweepState(spec, 'anneal');
    expect(toSweepResult(state, null).next).toContain('"delete":false');
    addOrphan(state, entry(1));
    expect(toSweepResult(state, null).next).toContain('"delete":true');
  });
});
