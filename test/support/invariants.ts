import { expect } from 'vitest';
import { checkModel } from '../campaigns/support/invariants.js';
import type { TestService } from './service.js';

/** What must be true of a model once nothing works on it any more. */
export async function expectInvariants(service: TestService, model: string): Promise<void> {
  const findings = await checkModel(service, model);
  expect(findings.filter(({ violation }) => violation !== null)).toEqual([]);
}
