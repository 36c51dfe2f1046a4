import { execa } from 'execa';
import { CommandFailure } from '../exit.js';

export interface Python {
  readonly command: string;
  /** For instance `3.11.7`. */
  readonly version: string;
}

/** PyTorch's pinned version is not made for older ones. */
const oldestMinor = 11;
const usualNames = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'];
const question =
  'import sys, venv, ensurepip; print(sys.executable, "{}.{}.{}".format(*sys.version_info), sep="\\n")';

/** The first Python on PATH that can make a virtual environment; `named` alone when it is given. */
export async function findPython(named?: string): Promise<Python> {
  const findings: string[] = [];
  for (const name of named ? [named] : usualNames) {
    const python = await ask(name);
    if (typeof python !== 'string' && isRecent(python.version)) return python;
    findings.push(`${name}: ${typeof python === 'string' ? python : python.version}`);
  }
  throw new CommandFailure(
    `There is no Python that set-up can use (${findings.join('; ')}). Allowed: Python 3.${oldestMinor} or newer ` +
      'with venv. Remedy: install one (on Debian and Ubuntu with python3-venv), or name one: ' +
      '"anneal setup local --python /path/to/python3".',
  );
}

/** The Python's answer, or why there is none. */
async function ask(name: string): Promise<Python | string> {
  const { exitCode, stdout, stderr } = await execa(name, ['-c', question], { reject: false });
  if (exitCode === undefined) return 'not found';
  if (exitCode !== 0) return stderr.trim().split('\n').at(-1) || `exit code ${exitCode}`;
  const [command = name, version = ''] = stdout.trim().split('\n');
  return { command, version };
}

export function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= oldestMinor);
}
