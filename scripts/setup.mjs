// Sets up a fresh clone: dependencies, the Temporal CLI, the workflow bundle, the programs. Runs before `npm run demo`,
// `npm test` and `npm run up`, where nothing is installed yet, so it imports Node's own modules only, and
// this first file parses on any Node that knows modules.
//
// Exit codes: 0 ready, 1 unexpected, 3 Node too old, 4 disk full or not writable, 5 dependencies could not be
// installed, 6 no Temporal CLI and no way to get one, 7 another set-up does not end, 130 interrupted.
import { nodeProblem } from './node-version.mjs';

var problem = nodeProblem(process.versions.node);
if (problem) {
  console.error(problem);
  process.exitCode = 3;
} else {
  import('./setup/main.mjs').then((setup) => setup.main());
}
