import { providedAddresses } from '../../support/addresses.js';
import type { CampaignOptions } from './campaign.js';

/** However crowded the machine is: longer than any short version takes. */
export const longestShortMs = 480_000;

/** The short version on the servers of all tests, the same each time. */
export function shortVersion(lanes: number): CampaignOptions {
  return { seed: 1, short: true, only: null, lanes, addresses: providedAddresses() };
}
