// Part of `npm run build:ts`, after tsc: bundles each entry point into one file, because loading hundreds of small
// modules takes most of the start time. The other files in dist/ are for tests and benchmarks, and are not published.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Keeps the library out of the bundle of the command. With a second copy, `instanceof` would fail for its errors. */
const sharedLibrary = {
  name: 'shared library',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index\.js$/ }, ({ path }) => ({ path, external: true }));
  },
};

/** Modules of Node.js that few programs use. Loading them takes a third of the load time of the library. */
const RARE = /^node:(crypto|dns|dns\/promises|fs\/promises|http|http2|https|net)$/;

/** Loads such a module when one of its members is first used. */
const rareModules = {
  name: 'rare modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: RARE }, ({ path, namespace }) =>
      namespace === 'rare' ? { path, external: true } : { path, namespace: 'rare' },
    );
    onLoad({ filter: RARE, namespace: 'rare' }, async ({ path }) => ({
      contents: lazyModuleCode(path, await import(path)),
    }));
  },
};

/** Returns code of a module whose members are getters for the members of the module at `path`. */
function lazyModuleCode(path, module) {
  return `for (const name of ${JSON.stringify(Object.keys(module))})
  Object.defineProperty(exports, name, { enumerable: true, get: () => require('${path}')[name] });`;
}

/** Packages that users may leave out. */
const OPTIONAL = /^(@bufbuild\/protobuf|re2js)(\/|$)/;

/** Loads them inside of `try`, so that bundlers of users accept that they are missing. */
const optionalPackages = {
  name: 'optional packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: OPTIONAL }, ({ path, namespace }) =>
      namespace === 'optional' ? { path, external: true } : { path, namespace: 'optional' },
    );
    onLoad({ filter: OPTIONAL, namespace: 'optional' }, ({ path }) => ({
      contents: `try { module.exports = require('${path}'); } catch (error) { throw error; }`,
    }));
  },
};

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

await build({
  ...shared,
  entryPoints: ['lib/index.ts'],
  outfile: 'dist/index.js',
  plugins: [rareModules, optionalPackages],
});
await build({
  ...shared,
  entryPoints: ['lib/cli/main.ts'],
  outfile: 'dist/cli/main.js',
  plugins: [sharedLibrary, rareModules, optionalPackages],
});
