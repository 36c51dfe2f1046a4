import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandFailure } from '../exit.js';
import { folderBytes } from './disk-space.js';
import { type LocalFolders, readStamp, writeStamp } from './layout.js';
import type { InstallContext, Part } from './part.js';
import { trainingFolder } from './python-tools.js';
import { runTool } from './run-tool.js';

const pinSchema = z.object({
  package: z.string(),
  version: z.string(),
  integrity: z.record(z.string(), z.string()),
});

/** libllama, ready-made: the function of llama.cpp that quantises, without a compiler. */
export function quantiser(folders: LocalFolders): Part {
  const pin = pinSchema.parse(JSON.parse(readFileSync(join(trainingFolder, 'quantiser.json'), 'utf8')));
  const platform = platformName();
  const integrity = pin.integrity[platform] ?? null;
  const name = `${pin.package}/${platform}`;
  const stampPath = join(folders.quantiser, '.anneal-installed.json');
  return {
    name: 'quantiser',
    purpose: `libllama of llama.cpp (${name} ${pin.version}) makes q8_0, q5_k_m, q4_k_m and q4_0 files`,
    installedBytes: 40e6,
    downloadBytes: 20e6,
    async state() {
      const stamp = readStamp(stampPath);
      if (stamp === null) return 'install';
      if (stamp.wanted !== integrity) return 'install again (training/quantiser.json has changed)';
      const isThere = existsSync(join(folders.quantiser, 'bins'));
      return isThere ? null : 'install again (its files are gone)';
    },
    async install(context) {
      if (integrity === null) {
        const allowed = Object.keys(pin.integrity).join(', ');
        throw new CommandFailure(
          `There is no quantiser for ${platform}. Allowed: ${allowed}. Remedy: set up on such a machine.`,
        );
      }
      const archive = await fetchArchive(name, pin.version, context);
      checkIntegrity(archive, integrity);
      await unpack(archive, context);
      writeStamp(stampPath, { wanted: integrity, bytes: folderBytes(folders.quantiser) });
    },
  };
}

export function platformName(): string {
  if (process.platform === 'darwin') return process.arch === 'arm64' ? 'mac-arm64-metal' : 'mac-x64';
  return `${process.platform}-${process.arch}`;
}

async function fetchArchive(name: string, version: string, context: InstallContext): Promise<string> {
  const { folders, from, signal, onProgress } = context;
  const fileName = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
  if (from !== null) {
    const path = join(from, fileName);
    if (existsSync(path)) return path;
    throw new CommandFailure(
      `${from} has no ${fileName}. Remedy: "npm pack ${name}@${version}" in that folder, where there is a network.`,
    );
  }
  onProgress(`${name} ${version}`);
  mkdirSync(folders.downloads, { recursive: true });
  const result = await runTool({
    command: 'npm',
    args: ['pack', `${name}@${version}`, '--ignore-scripts', '--pack-destination', folders.downloads],
    logPath: folders.log,
    signal,
  });
  const path = join(folders.downloads, fileName);
  if (result.exitCode === 0 && existsSync(path)) return path;
  throw new CommandFailure(
    `npm could not fetch ${name}@${version}. Remedy: check the network, "npm config get registry" and the proxy ` +
      `settings, then run the same command again; without a network, use --from. Log: ${folders.log}`,
  );
}

/** `integrity` as npm writes it: the algorithm, a hyphen, the hash in base64. */
export function checkIntegrity(archive: string, integrity: string): void {
  const algorithm = integrity.slice(0, integrity.indexOf('-'));
  const found = `${algorithm}-${createHash(algorithm).update(readFileSync(archive)).digest('base64')}`;
  if (found === integrity) return;
  throw new CommandFailure(
    `${archive} is not the package that training/quantiser.json pins: found ${found}, allowed ${integrity}. ` +
      'Remedy: fetch it again; if it stays, ask who runs your package registry.',
  );
}

async function unpack(archive: string, { folders, signal }: InstallContext): Promise<void> {
  const partial = `${folders.quantiser}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const result = await runTool({
    command: 'tar',
    args: ['-xzf', archive, '-C', partial, '--strip-components=1'],
    logPath: folders.log,
    signal,
  });
  if (result.exitCode !== 0 || !readdirSync(partial).includes('bins')) {
    throw new CommandFailure(`${archive} could not be unpacked. Log: ${folders.log}`);
  }
  rmSync(folders.quantiser, { recursive: true, force: true });
  renameSync(partial, folders.quantiser);
}
