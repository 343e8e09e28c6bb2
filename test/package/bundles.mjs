// Bundles of a program with the package, made as docs/bundlers.md says. Each has to trace without the files that the page does
// not ask to copy.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmModules } from '../../scripts/npm-modules.mjs';
import { addModules, runCommand } from './commands.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const APP = `import { openTracer, policyLibrary } from 'polytrace';
import { spawnSync } from 'node:child_process';
void (async () => {
  const tracer = await openTracer();
  const events = tracer.events({ types: ['process_exec'] });
  const next = events.next();
  spawnSync('/bin/true');
  await next;
  await tracer.close();
  if (policyLibrary().length === 0) throw new Error('the policies are missing');
  console.log('TRACED');
})();
`;

const page = () => readFileSync(join(root, 'docs/bundlers.md'), 'utf8');

/** Runs a program in a copy of the folder, without the package that the copy does not contain. */
function checkTraces(folder, file) {
  const away = mkdtempSync(join(tmpdir(), 'polytrace-bundle-'));
  cpSync(folder, away, { recursive: true });
  const output = runCommand(away, 'node', file);
  rmSync(away, { recursive: true });
  if (!/^TRACED$/m.test(output)) throw new Error(`${file}: ${output}`);
}

/** Runs each command of docs/bundlers.md that calls esbuild, and then the bundle, without the package if it contains it. */
function bundle(folder) {
  const pieces = shellBlocks().filter((commands) => !commands.includes('NODE_SEA_BLOB'));
  addModules(folder, 'esbuild@0.28');
  writeFileSync(join(folder, 'app.ts'), APP);
  const bundles = [];
  for (const commands of pieces) {
    runCommand(folder, 'sh', '-e', '-c', commands);
    bundles.push(...[...commands.matchAll(/--outfile=(\S+)/g)].map(([, file]) => file));
  }
  for (const file of bundles) {
    const isAlone = file.startsWith('out/');
    checkTraces(isAlone ? join(folder, 'out') : folder, isAlone ? file.slice('out/'.length) : file);
  }
  if (bundles.length !== 4) throw new Error(`docs/bundlers.md has ${bundles.length} bundles of esbuild`);
}

const shellBlocks = () => [...page().matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands]) => commands);

/** Runs the commands of docs/bundlers.md for a single executable, and then the executable without the package. */
function makeExecutable(folder) {
  addModules(folder, 'esbuild@0.28');
  addModules(folder, 'postject@1.0.0-alpha.6');
  writeFileSync(join(folder, 'app.ts'), APP);
  const commands = shellBlocks().find((block) => block.includes('NODE_SEA_BLOB'));
  runCommand(folder, 'sh', '-e', '-c', commands);
  const away = mkdtempSync(join(tmpdir(), 'polytrace-executable-'));
  cpSync(join(folder, 'single'), away, { recursive: true });
  const files = readdirSync(away).sort().join();
  const output = runCommand(away, join(away, 'app'));
  rmSync(away, { recursive: true });
  if (files !== 'app,policies,prebuilds') throw new Error(`the folder has ${files}`);
  if (!/^TRACED$/m.test(output)) throw new Error(output);
}

/** Packs the program as Electron's packagers do it: the whole package lies outside of the archive. Its files trace in Node.js. */
function packArchive(folder) {
  const source = join(folder, 'electron');
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, 'app.mjs'), APP);
  cpSync(join(folder, 'node_modules'), join(source, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  const [, pattern] = /unpackDir: '([^']+)'/.exec(page()) ?? [];
  const asar = join(npmModules('@electron/asar@3'), '@electron/asar/bin/asar.js');
  runCommand(folder, 'node', asar, 'pack', source, 'app.asar', '--unpack-dir', pattern);
  const lines = runCommand(folder, 'node', asar, 'list', 'app.asar', '--is-pack').split('\n');
  const [packed, unpacked] = ['pack', 'unpack'].map((kind) =>
    lines.flatMap((line) => new RegExp(`^${kind} *: /node_modules/polytrace/(.*)$`).exec(line)?.[1] ?? []),
  );
  if (packed.length > 0) throw new Error(`in the archive: ${packed.join(', ')}`);
  for (const name of ['prebuilds/linux-x64/polytrace.node', 'policies/file-integrity.yaml', 'dist/index.js']) {
    if (!unpacked.includes(name)) throw new Error(`${name} is not outside of the archive`);
  }
  runCommand(folder, 'node', asar, 'extract', 'app.asar', 'extracted');
  checkTraces(join(folder, 'extracted'), 'app.mjs');
}

/** Writes the configuration that docs/bundlers.md shows under this name. */
export function writeConfiguration(folder, configuration) {
  const blocks = [...page().matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);
  writeFileSync(
    join(folder, configuration),
    blocks.find((text) => text.startsWith(`// ${configuration}\n`)),
  );
}

function webpack(folder) {
  writeFileSync(join(folder, 'app.mjs'), APP);
  writeConfiguration(folder, 'webpack.config.cjs');
  const modules = npmModules('webpack@5', 'webpack-cli@6');
  runCommand(folder, 'node', join(modules, 'webpack-cli/bin/cli.js'), '--config', 'webpack.config.cjs');
  for (const name of ['prebuilds', 'policies']) {
    cpSync(join(folder, 'node_modules/polytrace', name), join(folder, 'packed', name), { recursive: true });
  }
  checkTraces(join(folder, 'packed'), 'app.cjs');
}

function rollup(folder) {
  writeFileSync(join(folder, 'app.mjs'), APP);
  writeConfiguration(folder, 'rollup.config.mjs');
  runCommand(folder, 'node', join(npmModules('rollup@4'), 'rollup/dist/bin/rollup'), '--config', '--silent');
  checkTraces(folder, 'rolled.mjs');
}

/** Builds for a server, with the program in one file. */
function vite(folder) {
  writeFileSync(join(folder, 'app.mjs'), APP);
  writeConfiguration(folder, 'vite.config.mjs');
  runCommand(folder, 'node', join(npmModules('vite@8'), 'vite/bin/vite.js'), 'build', '--logLevel', 'warn');
  checkTraces(folder, 'served/app.mjs');
}

/** Copies only what @vercel/nft finds, as Next.js and Nitro do it. */
function trace(folder) {
  writeFileSync(join(folder, 'app.mjs'), APP);
  const module = join(npmModules('@vercel/nft@1'), '@vercel/nft/out/index.js');
  const script = `require(${JSON.stringify(module)}).nodeFileTrace(['app.mjs'], { base: process.cwd() }).then(({ fileList }) => {
    for (const file of fileList) require('node:fs').cpSync(file, 'traced/' + file);
  });`;
  runCommand(folder, 'node', '-e', script);
  checkTraces(join(folder, 'traced'), 'app.mjs');
}

/** The names of the checks, and what they do with a folder in which the package is installed. */
export const BUNDLES = {
  esbuild: bundle,
  webpack,
  rollup,
  vite,
  '@vercel/nft': trace,
  'single executable': makeExecutable,
  'Electron archive': packArchive,
};
