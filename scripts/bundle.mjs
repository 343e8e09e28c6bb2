// Part of `npm run build:ts`, after tsc: bundles each entry point into one file, because loading hundreds of small
// modules takes most of the start time. The other files in dist/ are for tests and benchmarks, and are not published.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { ENTRIES } from './bundle-entries.mjs';
import { bundlePage } from './bundle-page.mjs';
import { listShared, SHARED, sharedEntry, sharedModules } from './bundle-shared.mjs';
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

/**
 * Modules that few programs use. Loading those of Node.js takes a third of the load time of the library. The package re2js has
 * tables of 0.8 MB, which only regular expressions of clients need.
 */
const RARE = /^(re2js|node:(child_process|crypto|dns|dns\/promises|fs\/promises|http|http2|https|net))$/;

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

/**
 * These dependencies are bundled: loading their small files took a fifth of the processor time of `polytrace validate`. The
 * package yaml is a file of its own, which is loaded with the first policy. Of its two builds, it is the one of ES modules:
 * esbuild makes one scope of them, which starts ten times as fast as 70 CommonJS modules. It needs no browser.
 */
const BUNDLED = { 'cli/main': ['commander'], 'cli/program': ['commander'], yaml: ['yaml'] };

const yamlPackage = (entry) => ({
  name: 'yaml',
  setup({ onResolve }) {
    if (entry === 'yaml') return;
    onResolve({ filter: /^yaml$/ }, () => ({ path: './yaml.js', external: true }));
  },
});

/** Most of these is generated or comes from packages: they have no map, which has the size of the code, and short names. */
const FOREIGN = ['grpc/client', 'protocol/index', 'yaml'];

const shared = await listShared(root, { platform: 'node', format: 'cjs', external: Object.keys(dependencies) });
const used = new Set();

/** The source of an entry point. */
function entrySource(entry) {
  const contents = {
    [SHARED]: () => sharedEntry(used),
    yaml: () => "export * from '../node_modules/yaml/browser/dist/index.js';",
  }[entry]?.();
  if (contents === undefined) return { entryPoints: [`lib/${entry}.ts`] };
  return { stdin: { contents, resolveDir: join(root, 'lib'), sourcefile: `lib/${entry}.ts` } };
}

/** Bundles an entry point. Returns what esbuild says about its inputs. */
async function bundleEntry(entry) {
  const isForeign = FOREIGN.includes(entry);
  const { metafile } = await build({
    absWorkingDir: root,
    ...entrySource(entry),
    outfile: `dist/${entry}.js`,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: Object.keys(dependencies).filter((name) => BUNDLED[entry]?.includes(name) !== true),
    plugins: [
      yamlPackage(entry),
      sharedModules(root, entry, shared, used),
      otherEntries(entry),
      unusedPackages,
      rareModules,
    ],
    sourcemap: !isForeign,
    minifyWhitespace: true,
    minifySyntax: true,
    minifyIdentifiers: isForeign,
    // the line of an error is printed with it
    lineLimit: 160,
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
  requireAscii(`dist/${entry}.js`);
  return metafile;
}

/** V8 takes twice the memory for the source of a file with one other character, and more time to parse it. */
function requireAscii(file) {
  const other = /^.*[^\0-\x7f].*$/m.exec(readFileSync(join(root, file), 'utf8'))?.[0];
  if (other !== undefined) throw new Error(`${file} has characters that are not ASCII: ${other}`);
}

const metafiles = [];
// the entry point of the shared modules has those that the others use
const inOrder = [...ENTRIES.filter((entry) => entry !== SHARED), SHARED];
for (const entry of inOrder) metafiles.push(await bundleEntry(entry));
metafiles.push(await bundlePage());
writeBundledPackages(metafiles, 'dist');
