import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { withInterruption } from '../interruption.js';
import { installLocalTools } from '../local/install.js';
import { homeAt } from '../stack/home.js';

interface Options {
  readonly from?: string;
  readonly python?: string;
  readonly home?: string;
}

export function setupCommand(directory: string): Command {
  const setup = new Command('setup')
    .description('Installs what only some need; "anneal setup local" to train here.')
    .addHelpText('after', '\nExamples:\n  anneal setup local\n  anneal setup local --help');
  setup
    .command('local')
    .description('Installs the tools and the base model that train, convert and quantise on this machine.')
    .option('--from <folder>', 'take the packages from this folder instead of the network')
    .option('--python <path>', 'the Python to make the virtual environment of (default: the first on PATH)')
    .option(
      '--home <folder>',
      'where everything lies (default: ANNEAL_HOME or .anneal), in its folder "local"',
    )
    .addHelpText(
      'after',
      `
Installs exact versions and checks the hash of every package. Proxies, package indexes and caches are those of
your pip and npm. Safe to repeat: what is there is left alone, what was interrupted is mended. With
ANNEAL_LOCAL_PYTHON, that Python is used as it is and only the rest is installed.

Examples:
  anneal setup local
  anneal setup local --python /usr/bin/python3.12
  anneal setup local --from /media/packages     without a network (docs/train-on-your-own-machine.md)`,
    )
    .exitOverride()
    .action((options: Options) => withInterruption((signal) => install(options, directory, signal)));
  return setup;
}

async function install(options: Options, directory: string, signal: AbortSignal): Promise<void> {
  await installLocalTools({
    home: homeAt(options.home),
    from: options.from === undefined ? null : resolve(directory, options.from),
    python: pathOrName(options.python, directory),
    ownPython: process.env.ANNEAL_LOCAL_PYTHON || null,
    temporaryFolder: tmpdir(),
    signal,
    print: (line) => console.log(line),
  });
}

/** A name is looked up on PATH; a path is the caller's. */
function pathOrName(python: string | undefined, directory: string): string | null {
  if (python === undefined) return null;
  return python.includes('/') ? resolve(directory, python) : python;
}
