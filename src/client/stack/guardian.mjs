// Ends a stack's processes when the process that owns them dies without ending them itself, by SIGKILL for
// instance: the pipe on standard input then closes. Plain JavaScript, because it starts with every stack.
//
// Lines on standard input: {"add": {"pid", "signal", "group"}}, {"remove": pid}, {"file": path}, {"done": true}.
// "file" names a file to delete at the end.
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const graceMs = 1300;
const processes = new Map();
const files = [];
let done = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.add) processes.set(message.add.pid, message.add);
  if (message.remove) processes.delete(message.remove);
  if (message.file) files.push(message.file);
  if (message.done) done = true;
}
if (!done) await endEverything();

async function endEverything() {
  for (const { pid, signal, group } of processes.values()) send(group ? -pid : pid, signal);
  const isGone = (pid) => !send(-pid, 0);
  for (let waitedMs = 0; waitedMs < graceMs && ![...processes.keys()].every(isGone); waitedMs += 20) {
    await sleep(20);
  }
  for (const pid of processes.keys()) send(-pid, 'SIGKILL');
  for (const file of files) rmSync(file, { force: true });
}

function send(pid, signal) {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
