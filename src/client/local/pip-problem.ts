import { CommandFailure } from '../exit.js';

/** Turns what a failed pip printed into one message with its remedy. */
export function pipProblem(output: string, log: string): CommandFailure {
  const found = problems.find(({ pattern }) => pattern.test(output));
  const errors = output.split('\n').filter((line) => line.startsWith('ERROR:'));
  const { message, remedy } = found ?? {
    message: `pip failed: ${errors.at(-1)?.slice('ERROR: '.length) ?? 'it gave no reason'}`,
    remedy: 'see the log, mend the cause, then run the same command again',
  };
  return new CommandFailure(`${message}. Remedy: ${remedy}. Log: ${log}`);
}

const problems = [
  {
    pattern: /DO NOT MATCH THE HASHES/,
    message: 'A downloaded package is not the one that training/requirements.txt pins (its hash differs)',
    remedy:
      'run the same command again after a cut-off download ("pip cache purge" first); if it stays, ask who ' +
      'runs your package index',
  },
  {
    pattern: /No space left on device/,
    message: 'The disk is full',
    remedy:
      'free some space, or set TMPDIR and PIP_CACHE_DIR to a disk with room, then run the same command again',
  },
  {
    pattern:
      /Failed to establish a new connection|Max retries exceeded|Read timed out|ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED|Name or service not known|40[37] Client Error/i,
    message: 'The Python package index is not reachable',
    remedy:
      'check the network, the proxy settings and "pip config list", then run the same command again; without ' +
      'a network, use --from (docs/train-on-your-own-machine.md)',
  },
  {
    pattern: /No matching distribution found|Could not find a version/,
    message:
      'There is no package of a pinned version for this machine, its Python, or in the folder of --from',
    remedy:
      'use Python 3.11 to 3.13 on Linux or macOS, or fill the folder of --from as docs/train-on-your-own-machine.md says',
  },
];
