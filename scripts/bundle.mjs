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

await build({ ...shared, entryPoints: ['lib/index.ts'], outfile: 'dist/index.js' });
await build({ ...shared, entryPoints: ['lib/cli/main.ts'], outfile: 'dist/cli/main.js', plugins: [sharedLibrary] });
