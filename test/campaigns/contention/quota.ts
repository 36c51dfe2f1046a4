import { sql } from 'kysely';
import { createDatabase } from '../../../src/database/database.js';
import type { LedgerEntry } from '../../../src/sandbox/admin.js';
import type { Campaign } from '../support/campaign.js';
import { checkModel, findingsOf } from '../support/invariants.js';
import type { Lane, LaneOptions } from '../support/world.js';
import { startRun } from './runs.js';

/** The account may have so many training jobs at once. */
const quota = 2;

export const quotaLane: LaneOptions = {
  pollSeconds: 0.2,
  sandbox: {
    trainingHours: 2,
    quotas: {
      scheduledCustomizationJobs: quota,
      deploymentsInProgress: 100,
      modelUnitsWithoutCommitment: 20,
    },
  },
};

/** Starts many runs at once where two may train at a time: all finish, in the order of their places in line. */
export async function playQuota(campaign: Campaign, lane: Lane, jobs: number): Promise<void> {
  const played = 'quota';
  const places = await watchPlaces(lane);
  try {
    const models = Array.from({ length: jobs }, () => lane.newModel());
    const handles = await Promise.all(models.map((model) => startRun(lane, model)));
    const endings = await Promise.all(handles.map((handle) => lane.endOf(handle)));
    const wrong = endings.flatMap((ending) => {
      const outcome =
        ending.closed === 'completed' ? ending.result.outcome : `${ending.type}: ${ending.message}`;
      return outcome === 'promoted' ? [] : [`a run ended ${ending.closed}: ${outcome}`];
    });
    const stragglers = (await Promise.all(models.map((model) => lane.settle(model)))).flat();
    const entries = (await lane.ledger()).filter(({ kind }) => kind === 'trainingJob');
    const most = mostAtOnce(entries);
    const line = await places.inOrder();
    const overtakings = overtaken(line, namesCreated(entries));
    campaign.tally.add('quota', 'runs', jobs);
    campaign.tally.add('quota', 'promoted', jobs - wrong.length);
    campaign.tally.add('quota', 'stood in line', line.length);
    campaign.tally.add('quota', 'overtaken', overtakings.length);
    campaign.tally.add('quota', 'most at once', most);
    campaign.record(
      [
        ...findingsOf('I5', [...wrong, ...stragglers.map((id) => `${id} did not end`)]),
        ...findingsOf('I5', overtakings),
        ...findingsOf('I1', [
          ...(most <= quota ? [] : [`${most} jobs were there at once`]),
          ...(namesCreated(entries).length === jobs
            ? []
            : [`${namesCreated(entries).length} jobs were bought`]),
        ]),
      ],
      played,
    );
    for (const model of models) campaign.record(await checkModel(lane, model), played);
  } finally {
    await places.close();
  }
}

/** Notes every place in line that was ever given: the line itself forgets those who left it. */
async function watchPlaces(lane: Lane): Promise<{ inOrder(): Promise<string[]>; close(): Promise<void> }> {
  const database = createDatabase(lane.environment.DATABASE_URL ?? '');
  await sql`create table campaign_places (position bigint, ticket text)`.execute(database);
  await sql`create function campaign_note_place() returns trigger language plpgsql as $$
    begin insert into campaign_places values (new.position, new.ticket); return new; end $$`.execute(
    database,
  );
  await sql`create trigger campaign_note_place after insert on admission_tickets
    for each row execute function campaign_note_place()`.execute(database);
  return {
    inOrder: async () => {
      const { rows } = await sql<{ ticket: string }>`select ticket from campaign_places
        where ticket like '%-t1' order by position`.execute(database);
      return rows.map(({ ticket }) => ticket);
    },
    close: () => database.destroy(),
  };
}

function namesCreated(entries: readonly LedgerEntry[]): string[] {
  return entries.filter(({ action }) => action === 'create').map(({ name }) => name);
}

/** Who had a place in line and was created after somebody behind it. */
function overtaken(line: readonly string[], created: readonly string[]): string[] {
  const order = line.map((ticket) => created.indexOf(ticket));
  return line.flatMap((ticket, place) => {
    const later = line.findIndex((_, other) => other > place && (order[other] ?? 0) < (order[place] ?? 0));
    return later < 0
      ? []
      : [`${ticket}, ${place + 1}. in line, was overtaken by ${line[later]}, ${later + 1}.`];
  });
}

function mostAtOnce(entries: readonly LedgerEntry[]): number {
  const running = new Set<string>();
  let most = 0;
  for (const { action, resource, note } of entries) {
    if (action === 'create') running.add(resource);
    else if (note !== 'asked to stop') running.delete(resource);
    most = Math.max(most, running.size);
  }
  return most;
}
