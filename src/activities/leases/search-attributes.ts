import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import type { LeasedResource } from '../../domain/lease.js';

const model = defineSearchAttributeKey('AnnealModel', 'KEYWORD');
const provider = defineSearchAttributeKey('AnnealProvider', 'KEYWORD');
const usdPerHour = defineSearchAttributeKey('AnnealUsdPerHour', 'DOUBLE');

/** What a lease is found by: what bills, for which model, where. */
export function leaseSearchAttributes(resource: LeasedResource): SearchAttributePair[] {
  return [
    { key: model, value: resource.model },
    { key: usdPerHour, value: resource.usdPerHour },
    ...(resource.provider ? [{ key: provider, value: resource.provider }] : []),
  ];
}
