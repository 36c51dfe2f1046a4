/** The oldest Node that Anneal runs on; also in package.json ("engines"). */
export var oldestNode = '20.19';

/** One line that says what is wrong with this Node and how to mend it, or null. Parses on every Node with ESM. */
export function nodeProblem(version) {
  var found = version.split('.').map(Number);
  var oldest = oldestNode.split('.').map(Number);
  if (found[0] > oldest[0] || (found[0] === oldest[0] && found[1] >= oldest[1])) return null;
  return (
    'Node ' +
    version +
    ' is too old: Anneal needs ' +
    oldestNode +
    ' or newer. Remedy: install it from https://nodejs.org, or run "nvm install 22" where nvm is used.'
  );
}
