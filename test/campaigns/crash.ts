import { ModelLines, playLifecycle } from './crash/lifecycle.js';
import { nameOf, type Path, paths, targets, wrongEnd } from './crash/paths.js';
import { allCases, type CrashCase, kinds, measure, rolesOf, shortCases } from './crash/points.js';
import { type Campaign, defineCampaign, runCampaign } from './support/campaign.js';
import { checkModel, findingsOf, isOf, type Observed, secondPurchases } from './support/invariants.js';
import type { Lane, LaneOptions } from './support/world.js';

const laneOptions: LaneOptions = { worker: 'killable', pollSeconds: 0.2 };

/**
 * Kills the worker with SIGKILL at every event of a lifecycle's history and at three points inside every
 * activity, on both targets and for every way in which a run can end.
 */
export const crashCampaign = defineCampaign(
  {
    name: 'crash',
    description:
      'Kills the worker everywhere in a lifecycle and counts what was bought and what still bills.',
    short: 'about 25 kills, of every kind, instead of all',
  },
  async (campaign) => {
    const { short, seed, only } = campaign.options;
    const lines = new ModelLines();
    campaign.print('measuring lifecycles that nobody disturbs');
    const measured = await campaign.onLanes(pathsFor(only), laneOptions, async (path, lane) => {
      const model = await lines.modelFor(lane, path.target, campaign.signal);
      const before = lane.control.trace().length;
      const played = await playLifecycle(lane, model, path, [], campaign.signal);
      const wrong = played.ending ? wrongEnd(path, played.ending) : 'it did not end';
      if (wrong) throw new Error(`An undisturbed ${nameOf(path)} went wrong: ${wrong}`);
      const result = measure(path, played.events, lane.control.trace().slice(before), rolesOf(played));
      campaign.print(`  ${nameOf(path)}: ${result.events.length} events, ${result.points.length} points`);
      return result;
    });
    const cases = short ? shortCases(measured, seed) : allCases(measured);
    const kills = cases.reduce((sum, { points }) => sum + points.length, 0);
    campaign.print(`${cases.length} lifecycles with ${kills} kills`);
    await campaign.playCases(cases, laneOptions, (played, lane) => playCase(campaign, lines, played, lane));
  },
);

/** A single case needs the paths of its target only. */
function pathsFor(only: string | null): readonly Path[] {
  const target = targets.find((each) => only?.startsWith(each));
  return target ? paths.filter((path) => path.target === target) : paths;
}

async function playCase(campaign: Campaign, lines: ModelLines, crash: CrashCase, lane: Lane): Promise<void> {
  const { path, points } = crash;
  const { tally } = campaign;
  const row = `${path.target} ${path.outcome}`;
  const model = await lines.modelFor(lane, path.target, campaign.signal);
  const played = await playLifecycle(lane, model, path, points, campaign.signal);
  const { ending, killedAt, stragglers, runId } = played;

  tally.add(row, 'lifecycles');
  tally.add(row, 'kills', killedAt.length);
  for (const kind of kinds) {
    tally.add(row, kind, killedAt.filter((label) => label.startsWith(`${kind} `)).length);
  }
  const missed = points.filter(({ label }) => !killedAt.includes(label));
  tally.add(row, 'not reached', missed.length);
  for (const { label } of missed) campaign.print(`  not reached in ${crash.name}: ${label}`);

  const bought = secondPurchases(await lane.ledger(), model).filter((purchase) => purchase.includes(runId));
  const billing = await billingWithoutNeed(lane, model);
  tally.add(row, 'bought twice', bought.length);
  tally.add(row, 'billing for nobody', billing.length);
  tally.add(row, 'never ended', ending && stragglers.length === 0 ? 0 : 1);

  const wrong = ending ? wrongEnd(path, ending) : 'the run did not end';
  const unended = stragglers.map((workflowId) => `${workflowId} did not end`);
  const findings = [
    ...(await checkModel(lane, model)),
    ...findingsOf('I5', wrong ? [wrong, ...unended] : unended),
    ...findingsOf('I2', billing),
  ];
  campaign.record(findings, crash);
  if (findings.some(({ violation }) => violation !== null)) {
    campaign.print(`  killed at: ${killedAt.join('; ')}`);
    lines.discard(lane, path.target);
  }
}

/** What still costs money although neither the champion nor the previous champion needs it. */
async function billingWithoutNeed(lane: Observed, model: string): Promise<string[]> {
  const versions = await lane.dependencies.registry.versions(model);
  const kept = versions.filter(({ status }) => status === 'champion' || status === 'previous');
  const needed = kept.flatMap(({ modelName, deployment }) => [modelName, deployment?.name]);
  const live = (await lane.live()).filter((resource) => isOf(resource, model));
  return live
    .filter(({ name }) => !needed.includes(name))
    .map(({ kind, name, usdPerHour }) => `${kind} ${name} bills ${usdPerHour} dollars an hour for nobody`);
}

await runCampaign(import.meta.url, crashCampaign);
