// Part of `npm run build:ts`, after tsc: makes one file of each entry point, because hundreds of small modules take most of the time
// that starting needs. The other files in dist/ are for tests and benchmarks, and are not published.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The command uses the library of the package: with a second one, its errors would be of other classes. */
const sharedLibrary = {
  name: 'shared library',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index\.js$/ }, ({ path }) => ({ path, external: true }));
  },
};

/** Few programs use these modules of Node.js, and loading them takes a third of the library's time. */
const RARE = /^node:(crypto|dns|dns\/promises|fs\/promises|http|http2|https|net)$/;

/** Loads each of them when one of its members is first used. */
const rareModules = {
  name: 'rare modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: RARE }, ({ path, namespace }) =>
      namespace === 'rare' ? { path, external: true } : { path, namespace: 'rare' },
    );
    onLoad({ filter: RARE, namespace: 'rare' }, async ({ path }) => ({
      contents: membersOf(path, await import(path)),
    }));
  },
};

/** Code of a module whose members are those of the module at `path`. */
function membersOf(path, module) {
  return `for (const name of ${JSON.stringify(Object.keys(module))})
  Object.defineProperty(exports, name, { enumerable: true, get: () => require('${path}')[name] });`;
}

const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
};

await build({ ...shared, entryPoints: ['lib/index.ts'], outfile: 'dist/index.js', plugins: [rareModules] });
await build({
  ...shared,
  entryPoints: ['lib/cli/main.ts'],
  outfile: 'dist/cli/main.js',
  plugins: [sharedLibrary, rareModules],
});
