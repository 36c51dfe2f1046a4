import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../../../activities/process-identity.js';
import { readRecord } from '../../../activities/record-files.js';
import { jobsDirectory, listJobs } from '../../../activities/training/local/job-folder.js';
import type { LocalFolders } from '../../local/layout.js';
import type { Home } from '../../stack/home.js';

/** Gives the demo's home the installed tools and base models; jobs and models of the demo stay its own. */
export function linkTools(home: Home, tools: LocalFolders): void {
  const local = join(home.path, 'local');
  mkdirSync(local, { recursive: true });
  for (const [name, target] of Object.entries({
    venv: tools.venv,
    quantiser: tools.quantiser,
    node: tools.node,
    'base-models': tools.baseModels,
  })) {
    if (existsSync(target)) symlinkSync(target, join(local, name));
  }
}

/**
 * Ends what trains in the demo's home and deletes its jobs and models, also those of a demo that was killed.
 * Trainers are detached, to survive their worker; the supervisor of a job that is deleted ends its trainer.
 */
export async function clearLocalState(home: Home): Promise<void> {
  const jobs = await listJobs(home.path);
  const names = ['supervisor.json', 'trainer.json'];
  const recorded = await Promise.all(
    jobs.flatMap(({ path }) =>
      names.map((name) => readRecord<{ pid: number; identity: string | null }>(join(path, name))),
    ),
  );
  const living = () =>
    recorded.filter((each) => each?.identity != null && isAlive({ pid: each.pid, identity: each.identity }));
  rmSync(jobsDirectory(home.path), { recursive: true, force: true });
  const deadline = Date.now() + 20_000;
  while (living().length > 0 && Date.now() < deadline) await sleep(100);
  for (const each of living()) if (each) process.kill(each.pid, 'SIGKILL');
  // Links are removed as links: what they lead to is the installation.
  rmSync(join(home.path, 'local'), { recursive: true, force: true });
}
