// Lets bundles share modules. dist/policies.js has each module that lib/policies.ts imports. The library takes these modules
// from there, and the command takes those with classes or state. So they exist once: with a second copy of the library,
// `instanceof` would fail for its errors. A module that two bundles have twice is also parsed twice.
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

/** The bundle with the shared modules. */
export const SHARED = 'policies';

/** The command has its own copy of these modules, which have no state: its help does not need the policies. */
const COPIED_BY_COMMAND = /^(names\/|library\/|read-up-to$)/;

/** Large modules of constants, of which each bundle keeps what it uses. */
const CONSTANTS = /^(wire\/layout|names\/abi)\.gen$/;

/** Name of a module: its path in lib/ without the extension. */
const moduleName = (path) => path.replace(/^lib\//, '').replace(/\.[jt]s$/, '');

/**
 * Lists the modules that lib/policies.ts imports. Returns a map from their names to the names of their exports.
 * `options` are those of the bundle.
 */
export async function listShared(root, options) {
  const all = { ...options, absWorkingDir: root, write: false, metafile: true, outdir: 'dist', logLevel: 'error' };
  const { metafile } = await build({ ...all, entryPoints: [`lib/${SHARED}.ts`], bundle: true });
  const files = Object.keys(metafile.inputs).filter((path) => path.startsWith('lib/'));
  const { external: _, plugins: _none, ...single } = all;
  const each = await build({ ...single, entryPoints: files, bundle: false, format: 'esm', outbase: 'lib' });
  return new Map(
    Object.values(each.metafile.outputs)
      .filter(({ entryPoint }) => entryPoint !== undefined && !CONSTANTS.test(moduleName(entryPoint)))
      .map(({ entryPoint, exports }) => [moduleName(entryPoint), exports]),
  );
}

/**
 * Takes shared modules from their bundle. The names of those that an entry uses are added to `used`. The library loads the
 * bundle at once: then a call of a shared function costs the same as one of its own. The command loads it with the first use.
 */
export const sharedModules = (root, entry, shared, used) => ({
  name: 'shared modules',
  setup({ onResolve, onLoad }) {
    const isLazy = entry.startsWith('cli/');
    if (entry !== 'index' && !isLazy) return;
    onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, resolveDir, kind, namespace }) => {
      if (kind === 'entry-point' || namespace !== 'file') return undefined;
      const name = moduleName(relative(root, join(resolveDir, path)));
      if (!shared.has(name) || (isLazy && (name === SHARED || COPIED_BY_COMMAND.test(name)))) return undefined;
      if (name !== SHARED) used.add(name);
      return { path: name, namespace: 'shared' };
    });
    onResolve({ filter: /./, namespace: 'shared' }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /./, namespace: 'shared' }, ({ path: name }) => {
      const bundle = relative(dirname(entry), SHARED);
      const file = `require('${bundle.startsWith('.') ? bundle : `./${bundle}`}.js')`;
      const code = name === SHARED ? file : `${file}.shared['${name}']`;
      const names = shared.get(name);
      return {
        contents: isLazy
          ? names
              .map(
                (each) =>
                  `Object.defineProperty(exports, '${each}', { enumerable: true, get: () => ${code}.${each} });`,
              )
              .join('\n')
          : `const from = ${code};\n${names.map((each) => `export const ${each} = from.${each};`).join('\n')}`,
      };
    });
  },
});

/** Returns the code of the shared bundle's entry point: lib/policies.ts, and the used modules as `shared`. */
export function sharedEntry(used) {
  const names = [...used].sort();
  return [
    `export * from './${SHARED}.js';`,
    ...names.map((name, i) => `import * as m${i} from './${name}.js';`),
    `export const shared = { ${names.map((name, i) => `'${name}': m${i}`).join(', ')} };`,
  ].join('\n');
}
