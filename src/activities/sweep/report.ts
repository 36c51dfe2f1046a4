import type { IdleEntry, MissingEntry, SweepEntry, SweepResult } from '../../domain/sweep.js';
import type { ObjectStore } from '../dataset/object-store.js';

/** What one page of a sweep found; one of the lists is filled. */
export interface ReportPage {
  readonly orphans?: readonly SweepEntry[];
  readonly missing?: readonly MissingEntry[];
  readonly idle?: readonly IdleEntry[];
}

/** Everything that a sweep found, below a folder of its own; safe to repeat. */
export function createSweepReport(objects: ObjectStore, folderUri: string) {
  const pageUri = (number: number) => `${folderUri}/pages/${String(number).padStart(6, '0')}.json`;
  return {
    async keepPage(number: number, page: ReportPage): Promise<void> {
      await objects.put(pageUri(number), JSON.stringify(page), 'application/json');
    },

    /** Puts the pages together under the result's counts; returns the report's URI. */
    async write(pages: number, result: SweepResult): Promise<string> {
      const orphans: SweepEntry[] = [];
      const missing: MissingEntry[] = [];
      const idle: IdleEntry[] = [];
      for (let number = 1; number <= pages; number += 1) {
        const page = JSON.parse((await objects.getText(pageUri(number))) ?? '{}') as ReportPage;
        orphans.push(...(page.orphans ?? []));
        missing.push(...(page.missing ?? []));
        idle.push(...(page.idle ?? []));
      }
      const uri = `${folderUri}/report.json`;
      const { dryRun, counts, totalUsdPerMonth } = result;
      const report = { dryRun, counts, totalUsdPerMonth, orphans, missing, idle };
      await objects.put(uri, `${JSON.stringify(report, null, 2)}\n`, 'application/json');
      for (let number = 1; number <= pages; number += 1) await objects.delete(pageUri(number));
      return uri;
    },
  };
}
