import { activityInfo } from '@temporalio/activity';
import type { LeasedResource } from '../../domain/lease.js';
import type {
  CloudCursor,
  Finding,
  IdleEntry,
  Leftover,
  MissingEntry,
  SweepEntry,
  SweepResult,
  SweepSpec,
  VersionKey,
} from '../../domain/sweep.js';
import type { Author } from '../registry/registry.js';
import { keepAlive } from '../waiting.js';
import { actOnFindings } from './act.js';
import { correctVersion, releaseVainLease } from './correct-books.js';
import type { SweepDependencies } from './dependencies.js';
import { type IdleRelease, prepareIdleRelease } from './idle.js';
import { type JudgedLeases, type JudgedVersions, judgeLeases, judgeVersions } from './judge-books.js';
import { judgeChampions } from './judge-champions.js';
import { type JudgedPage, judgeCloud } from './judge-cloud.js';
import { type JudgedFiles, judgeFiles, judgeUploads } from './judge-files.js';
import { type JudgedStandbys, judgeStandbys, leftoverOf } from './judge-standbys.js';
import { createSweepReport, type ReportPage } from './report.js';

export type SweepActivities = ReturnType<typeof createSweepActivities>;

/** Each looks at one page, or acts on what one page showed, so that a sweep of any size stays small. */
export function createSweepActivities(dependencies: SweepDependencies) {
  const { objects, bucket } = dependencies;
  const reportOf = ({ runId }: Author) => createSweepReport(objects, `s3://${bucket}/sweeps/${runId}`);
  return {
    async judgeChampionsPage(spec: SweepSpec, after: VersionKey | null): Promise<JudgedVersions> {
      return keepAlive(() => judgeChampions(dependencies, spec, after, activityInfo().taskQueue));
    },

    async judgeCloudPage(spec: SweepSpec, cursor: CloudCursor): Promise<JudgedPage> {
      return keepAlive(() => judgeCloud(dependencies, spec, cursor, activityInfo().taskQueue));
    },

    async judgeFilesPage(spec: SweepSpec, after: string | null): Promise<JudgedFiles> {
      return keepAlive(() => judgeFiles(dependencies, spec, after));
    },

    async judgeUnfinishedUploads(spec: SweepSpec): Promise<Finding[]> {
      return keepAlive(() => judgeUploads(dependencies, spec));
    },

    async judgeVersionsPage(spec: SweepSpec, after: VersionKey | null): Promise<JudgedVersions> {
      return keepAlive(() => judgeVersions(dependencies, spec, after));
    },

    async judgeStandbysPage(spec: SweepSpec, after: VersionKey | null): Promise<JudgedStandbys> {
      return keepAlive(() => judgeStandbys(dependencies, spec, after));
    },

    /** Asked under the model's run lock; null when nothing is left any more. */
    async findLeftover(spec: SweepSpec, model: string): Promise<Leftover | null> {
      return keepAlive(() => leftoverOf(dependencies, spec, model));
    },

    async judgeLeasesPage(spec: SweepSpec, page: string | null): Promise<JudgedLeases> {
      return keepAlive(() => judgeLeases(dependencies, spec, page));
    },

    async actOnOrphans(spec: SweepSpec, findings: readonly Finding[]): Promise<SweepEntry[]> {
      return keepAlive(() => actOnFindings(dependencies, spec, findings));
    },

    async correctRegistry(spec: SweepSpec, entry: MissingEntry, author: Author): Promise<MissingEntry> {
      return keepAlive(() => correctVersion(dependencies, spec, entry, author));
    },

    async releaseVainLease(entry: MissingEntry & { resource: LeasedResource }): Promise<MissingEntry> {
      return keepAlive(() => releaseVainLease(dependencies, entry));
    },

    async prepareIdleRelease(spec: SweepSpec, entry: IdleEntry, author: Author): Promise<IdleRelease> {
      return keepAlive(() => prepareIdleRelease(dependencies, spec, entry, author));
    },

    async keepReportPage(author: Author, number: number, page: ReportPage): Promise<void> {
      await reportOf(author).keepPage(number, page);
    },

    async writeSweepReport(author: Author, pages: number, result: SweepResult): Promise<string> {
      return keepAlive(() => reportOf(author).write(pages, result));
    },
  };
}
