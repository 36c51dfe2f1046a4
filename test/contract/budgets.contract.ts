import { beforeAll, describe, expect, it } from 'vitest';
import type { Budgets, ReservationRequest, Settlement } from '../../src/activities/budgets/budgets.js';

let runs = 0;

/** A run of its own that asks for 10 dollars. */
export function newRequest(model: string, more: Partial<ReservationRequest> = {}): ReservationRequest {
  runs += 1;
  return {
    author: { workflowId: `fine-tune/${model}-${runs}`, runId: `first-${runs}` },
    executionRunId: `first-${runs}`,
    model,
    scheduleId: null,
    estimateUsd: 10,
    budgetUsd: null,
    approvedBy: null,
    ...more,
  };
}

export function settlementOf(request: ReservationRequest, spentUsd: number): Settlement {
  const { author, executionRunId, model, scheduleId } = request;
  return { author, executionRunId, model, scheduleId, spentUsd, bookings: [] };
}

/** What every implementation of `Budgets` keeps to. Budgets are those of models, so that tests keep apart. */
export function describeBudgets(name: string, create: () => Promise<Budgets>): void {
  describe(`budgets: ${name}`, () => {
    let budgets: Budgets;
    beforeAll(async () => {
      budgets = await create();
    });

    const limit = (model: string, limitUsd: number) =>
      budgets.set({ scope: 'model', name: model, limitUsd, period: 'total' });
    const standing = async (scope: string, ofName: string) =>
      (await budgets.list()).find((budget) => budget.scope === scope && budget.name === ofName);

    it('let everything pass where nobody has set a limit', async () => {
      expect(await budgets.reserve(newRequest('free', { estimateUsd: 1e6 }))).toEqual({
        reserved: true,
        exceeded: [],
      });
    });

    it('reserve up to the limit to the cent, and say by how much the next run is over', async () => {
      await limit('full', 0.3);
      for (const estimateUsd of [0.1, 0.2]) {
        expect(await budgets.reserve(newRequest('full', { estimateUsd }))).toMatchObject({ reserved: true });
      }
      const over = { scope: 'model', name: 'full', limitUsd: 0.3, spentUsd: 0, reservedUsd: 0.3 };
      expect(await budgets.reserve(newRequest('full', { estimateUsd: 0.0001 }))).toEqual({
        reserved: false,
        exceeded: [{ ...over, period: 'total', neededUsd: 0.0001 }],
      });
    });

    it('count what ended runs spent, and free the rest of their reservations', async () => {
      await limit('settling', 20);
      const first = newRequest('settling');
      await budgets.reserve(first);
      await budgets.settle(settlementOf(first, 2.5));
      expect(await standing('model', 'settling')).toMatchObject({ spentUsd: 2.5, reservedUsd: 0 });
      const dear = newRequest('settling');
      await budgets.reserve(dear);
      await budgets.settle(settlementOf(dear, 30));
      expect(await standing('model', 'settling')).toMatchObject({ spentUsd: 32.5, reservedUsd: 0 });
      expect(await budgets.reserve(newRequest('settling'))).toMatchObject({ reserved: false });
    });

    it('name every budget that a run passes: its own, the model and the schedule', async () => {
      await limit('several', 5);
      await budgets.set({ scope: 'schedule', name: 'weekly several', limitUsd: 6, period: 'month' });
      const request = newRequest('several', { scheduleId: 'weekly several', budgetUsd: 7 });
      const { reserved, exceeded } = await budgets.reserve(request);
      expect(reserved).toBe(false);
      expect(exceeded.map(({ scope, limitUsd }) => [scope, limitUsd])).toEqual([
        ['run', 7],
        ['model', 5],
        ['schedule', 6],
      ]);
      expect(await budgets.check(request, 10)).toHaveLength(2);
      expect(await standing('model', 'several')).toMatchObject({ reservedUsd: 0 });
    });

    it('count a run of a schedule against it, and no other run', async () => {
      await budgets.set({ scope: 'schedule', name: 'nightly', limitUsd: 10, period: 'total' });
      await budgets.reserve(newRequest('scheduled'));
      await budgets.reserve(newRequest('scheduled', { scheduleId: 'nightly' }));
      expect(await standing('schedule', 'nightly')).toMatchObject({ reservedUsd: 10 });
      const next = newRequest('scheduled', { scheduleId: 'nightly' });
      expect(await budgets.reserve(next)).toMatchObject({ reserved: false });
    });

    it('reserve an approved run whatever it passes; others then see that the budget is used up', async () => {
      await limit('approved', 5);
      const approved = newRequest('approved', { approvedBy: 'Ada' });
      expect(await budgets.reserve(approved)).toMatchObject({
        reserved: true,
        exceeded: [{ scope: 'model' }],
      });
      expect(await standing('model', 'approved')).toMatchObject({ reservedUsd: 10 });
      const small = newRequest('approved', { estimateUsd: 0.01 });
      expect(await budgets.reserve(small)).toMatchObject({ reserved: false });
    });

    it('change nothing when a reservation is repeated, also after the limit has been lowered', async () => {
      await limit('repeated', 10);
      const request = newRequest('repeated');
      await budgets.reserve(request);
      await limit('repeated', 1);
      expect(await budgets.reserve(request)).toEqual({ reserved: true, exceeded: [] });
      expect(await standing('model', 'repeated')).toMatchObject({ limitUsd: 1, reservedUsd: 10 });
    });

    it('change nothing when a settlement is repeated, or comes from a run that reserved nothing', async () => {
      await limit('settled', 100);
      const request = newRequest('settled');
      await budgets.reserve(request);
      await budgets.settle(settlementOf(request, 4));
      await budgets.settle(settlementOf(request, 4));
      await budgets.settle(settlementOf(newRequest('settled'), 0));
      expect(await standing('model', 'settled')).toMatchObject({ spentUsd: 4, reservedUsd: 0 });
    });

    it('refuse a reservation that arrives after its run has settled', async () => {
      await limit('late', 100);
      for (const spentUsd of [0, 3]) {
        const request = newRequest('late');
        await budgets.settle(settlementOf(request, spentUsd));
        expect(await budgets.reserve(request)).toMatchObject({ reserved: false });
      }
      expect(await standing('model', 'late')).toMatchObject({ spentUsd: 3, reservedUsd: 0 });
    });

    it('reserve again for a run that was reset after its end, and count it once', async () => {
      await limit('reset', 100);
      const request = newRequest('reset');
      await budgets.reserve(request);
      await budgets.settle(settlementOf(request, 4));
      const again = { ...request, executionRunId: 'after the reset' };
      expect(await budgets.reserve(again)).toMatchObject({ reserved: true });
      expect(await standing('model', 'reset')).toMatchObject({ spentUsd: 0, reservedUsd: 10 });
      await budgets.settle(settlementOf(again, 6));
      expect(await standing('model', 'reset')).toMatchObject({ spentUsd: 6, reservedUsd: 0 });
    });

    it('reserve more for a run that was reset and needs more, without counting what it holds twice', async () => {
      await limit('dearer', 15);
      const request = newRequest('dearer');
      await budgets.reserve(request);
      const again = { ...request, executionRunId: 'after the reset' };
      expect(await budgets.reserve({ ...again, estimateUsd: 15.01 })).toMatchObject({ reserved: false });
      expect(await standing('model', 'dearer')).toMatchObject({ reservedUsd: 10 });
      expect(await budgets.reserve({ ...again, estimateUsd: 15 })).toMatchObject({ reserved: true });
      expect(await standing('model', 'dearer')).toMatchObject({ reservedUsd: 15 });
    });

    it('ask for a run that was reset with all that it has spent, as its reservation cannot hold less', async () => {
      await limit('dear before', 15);
      const request = newRequest('dear before', { approvedBy: 'Ada' });
      await budgets.reserve(request);
      await budgets.settle(settlementOf(request, 12));
      await budgets.reserve(newRequest('dear before', { estimateUsd: 5, approvedBy: 'Ada' }));
      const again = { ...request, executionRunId: 'after the reset', estimateUsd: 8 };
      expect(await budgets.reserve({ ...again, approvedBy: null })).toMatchObject({
        reserved: false,
        exceeded: [{ reservedUsd: 5, neededUsd: 12 }],
      });
      expect(await budgets.reserve(again)).toMatchObject({ reserved: true });
      expect(await standing('model', 'dear before')).toMatchObject({ spentUsd: 0, reservedUsd: 17 });
    });

    it('book the whole reservation of a run that vanished', async () => {
      await limit('vanished', 100);
      const request = newRequest('vanished');
      await budgets.reserve(request);
      await budgets.settleVanished(request.author);
      await budgets.settleVanished(request.author);
      await budgets.settleVanished(newRequest('vanished').author);
      expect(await standing('model', 'vanished')).toMatchObject({ spentUsd: 10, reservedUsd: 0 });
    });

    it('book a cost once by its key, also when a run settles it', async () => {
      await limit('booked', 100);
      const request = newRequest('booked');
      const booking = { key: 'lease/deployment/booked-d1', what: 'two hours', usd: 7.25 };
      await budgets.settle({ ...settlementOf(request, 1), bookings: [booking] });
      const at = new Date().toISOString();
      await budgets.book(request.author, request, { ...booking, usd: 9, at });
      expect(await standing('model', 'booked')).toMatchObject({ spentUsd: 8.25, reservedUsd: 0 });
    });

    it('are replaced when set again, and gone when removed', async () => {
      await limit('changing', 1);
      await budgets.set({ scope: 'model', name: 'changing', limitUsd: 2, period: 'month' });
      expect(await standing('model', 'changing')).toMatchObject({ limitUsd: 2, period: 'month' });
      expect(await budgets.remove('model', 'changing')).toBe(true);
      expect(await budgets.remove('model', 'changing')).toBe(false);
      expect(await standing('model', 'changing')).toBeUndefined();
    });

    it('let exactly three of a hundred simultaneous runs reserve where the budget is for three', async () => {
      await limit('crowd', 39.99);
      const requests = Array.from({ length: 100 }, () => newRequest('crowd'));
      const answers = await Promise.all(requests.map((request) => budgets.reserve(request)));
      expect(answers.filter(({ reserved }) => reserved)).toHaveLength(3);
      expect(await standing('model', 'crowd')).toMatchObject({ reservedUsd: 30 });
    });
  });
}
