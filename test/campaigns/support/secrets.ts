import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A secret that stands nowhere else in the world, so that any byte of it at rest is a leak. */
export function newCanary(): string {
  return `canary${randomBytes(18).toString('hex')}`;
}

export interface SecretScan {
  readonly files: number;
  readonly bytes: number;
  /** What was found where. */
  readonly leaks: readonly string[];
}

/**
 * Looks for secrets, plain or in base64, in every file below the folders. `secrets` maps what each is called
 * to what it is.
 */
export async function scanForSecrets(
  folders: readonly string[],
  secrets: Readonly<Record<string, string>>,
): Promise<SecretScan> {
  const needles = Object.entries(secrets).flatMap(([name, secret]) =>
    [secret, ...base64Forms(secret)].map((text) => ({ name, bytes: Buffer.from(text) })),
  );
  let files = 0;
  let bytes = 0;
  const leaks: string[] = [];
  for (const folder of folders) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const scanned = await scanFile(path, needles);
      files += 1;
      bytes += scanned.bytes;
      leaks.push(...scanned.names.map((name) => `${name} in ${path}`));
    }
  }
  return { files, bytes, leaks };
}

/** What base64 makes of a secret that begins at any of three offsets, without what its neighbours decide. */
function base64Forms(secret: string): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from('\0'.repeat(offset) + secret).toString('base64');
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });
}

async function scanFile(
  path: string,
  needles: readonly { readonly name: string; readonly bytes: Buffer }[],
): Promise<{ bytes: number; names: string[] }> {
  const overlap = Math.max(...needles.map((needle) => needle.bytes.length)) - 1;
  const names = new Set<string>();
  let bytes = 0;
  let tail = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      const window = Buffer.concat([tail, chunk as Buffer]);
      for (const needle of needles) if (window.includes(needle.bytes)) names.add(needle.name);
      bytes += (chunk as Buffer).length;
      tail = window.subarray(-overlap);
    }
  } catch (error) {
    // Servers delete files of their own while we read.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return { bytes, names: [...names] };
}
