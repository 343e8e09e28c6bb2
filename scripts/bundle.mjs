// Part of `npm run build:ts`, after tsc: bundles each entry point into one file, because loading hundreds of small
// modules takes most of the start time. The other files in dist/ are for tests and benchmarks, and are not published.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { ENTRIES } from './bundle-entries.mjs';
import { bundlePage } from './bundle-page.mjs';
import { writeBundledPackages } from './bundled-packages.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Keeps each entry point out of the bundles of the others, so that its modules exist once: with a second copy of the
 * library, `instanceof` would fail for its errors.
 */
const otherEntries = (entry) => ({
  name: 'other entries',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, resolveDir, kind }) => {
      if (kind === 'entry-point') return undefined;
      const other = relative(join(root, 'lib'), join(resolveDir, path)).replace(/\.js$/, '');
      if (other === entry || !ENTRIES.includes(other)) return undefined;
      const from = relative(dirname(entry), other);
      return { path: `${from.startsWith('.') ? from : `./${from}`}.js`, external: true };
    });
  },
});

/** grpc-js loads this package only for channelz, which the client does not have. It would add 20 packages. */
const unusedPackages = {
  name: 'unused packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /./, namespace: 'unused' }, ({ path }) => ({
      contents: `throw new Error('${path} is not part of this bundle');`,
    }));
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

const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Most of these is generated or comes from packages: they have no map, which has the size of the code, and short names. */
const FOREIGN = ['grpc/client', 'protocol/index'];

/** Bundles an entry point. Returns what esbuild says about its inputs. */
async function bundleEntry(entry) {
  const isForeign = FOREIGN.includes(entry);
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [`lib/${entry}.ts`],
    outfile: `dist/${entry}.js`,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: Object.keys(dependencies),
    plugins: [otherEntries(entry), unusedPackages, rareModules],
    sourcemap: !isForeign,
    minifyWhitespace: true,
    minifySyntax: isForeign,
    minifyIdentifiers: isForeign,
    // the line of an error is printed with it
    lineLimit: 160,
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

const metafiles = [];
for (const entry of ENTRIES) metafiles.push(await bundleEntry(entry));
metafiles.push(await bundlePage());
writeBundledPackages(metafiles, 'dist');
