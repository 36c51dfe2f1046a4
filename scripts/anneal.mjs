#!/usr/bin/env node
// The `anneal` command, also as ./anneal at the top of the repository. Sets up what is missing, then runs
// src/client/main.ts, compiled, inside this process, so that signals reach it directly.
import { nodeProblem } from './node-version.mjs';

var problem = nodeProblem(process.versions.node);
if (problem) {
  console.error(problem);
  process.exitCode = 3;
} else {
  import('./setup/launch.mjs').then((launcher) => launcher.launch());
}
