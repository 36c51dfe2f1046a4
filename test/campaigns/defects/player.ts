/** Plays cases of a campaign in the tree that it stands in, until the first violation; see trial.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { runScript } from '../../../src/client/trials/script.js';
import type { Addresses } from '../../support/addresses.js';
import type { CampaignFunction } from '../support/campaign.js';
import type { Detector } from './catalogue.js';

export interface PlayRequest extends Detector {
  readonly seed: number;
  readonly lanes: number;
  /** False ends it with the first violation. */
  readonly isToTheEnd: boolean;
  readonly addresses: Addresses;
}

export interface PlayReport {
  /** The names of those that were played. */
  readonly cases: readonly string[];
  readonly violations: readonly { readonly case: string; readonly message: string }[];
}

const command = new Command('player').requiredOption('--request <path>').requiredOption('--report <path>');

await runScript<{ request: string; report: string }>(command, async ({ request, report }, signal) => {
  const asked = JSON.parse(readFileSync(request, 'utf8')) as PlayRequest;
  writeFileSync(report, JSON.stringify(await play(asked, signal)));
});

async function play(request: PlayRequest, signal: AbortSignal): Promise<PlayReport> {
  const { campaign, only, seed, short = false, lanes, isToTheEnd, addresses } = request;
  const module = (await import(`../${campaign}.js`)) as Record<string, CampaignFunction>;
  const run = module[`${campaign}Campaign`];
  if (!run) throw new Error(`${campaign}.ts has no campaign of that name`);
  const cases: string[] = [];
  const violations: { case: string; message: string }[] = [];
  const enough = new AbortController();
  const print = (line: string) => {
    console.log(line);
    const [, played] = /^ *\d+\/\d+ {2}(\S+)/.exec(line) ?? [];
    if (played) cases.push(played);
    const [, message, violated] = /^VIOLATION ((?:I\d|\(broken\)) in (.+?): .*)/.exec(line) ?? [];
    if (!message || !violated) return;
    violations.push({ case: violated, message });
    if (!isToTheEnd) enough.abort();
  };
  const stop = AbortSignal.any([signal, enough.signal]);
  try {
    await run({ seed, short, only, lanes, addresses, signal: stop, print });
  } catch (error) {
    if (violations.length === 0) throw error;
  }
  return { cases, violations };
}
