// Copies the files of the container image into an empty folder: stage-image.mjs FOLDER [--without-agent] [--prebuilt ARCH].
// They are the package, the package of the agent, and their dependencies in package-lock.json, without types and source maps.
// `npm run build` must have run. The addon is the one of build/Release, or the prebuilt one of ARCH (x64 or arm64).
// THIRD-PARTY-NOTICES has the licences of what is bundled and linked.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { prebuiltFile } from './prebuilds/targets.mjs';
import { imageNotices, NOTICES } from './release/notices.mjs';

const checkout = join(dirname(fileURLToPath(import.meta.url)), '..');
const AGENT = 'agent';
const AGENT_PACKAGE = 'node_modules/polytrace-agent';
/** Extensions of files that are needed at run time. Other files are for compilers, editors and other runtimes. */
const RUNTIME_EXTENSIONS = ['.js', '.cjs', '.mjs', '.json', '.node', '.proto', '.wasm', '.yaml'];
const LICENCE = /^((un)?licen[cs]e|notice|copying)/i;

/** Lists the folders of the packages that are needed at run time. */
function listPackages() {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8'));
  return Object.entries(lock.packages)
    .filter(([folder, entry]) => folder.includes('node_modules/') && !entry.dev && !entry.link)
    .map(([folder]) => folder)
    .filter((folder) => !folder.includes('node_modules/@types/') && existsSync(join(checkout, folder)));
}

/** Lists the folders of the dependencies of the library. They have no dependencies of their own. */
function listLibraryPackages() {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  return Object.keys({ ...dependencies, ...peerDependencies }).map((name) => `node_modules/${name}`);
}

/** Copies the files of a package without its nested packages, which the lock file lists separately. */
function copyPackage(from, to) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules' && !isOtherModuleFormat(from, entry.name)) copyPackage(source, target);
    } else if (isRuntimeFile(entry.name)) {
      mkdirSync(to, { recursive: true });
      cpSync(source, target);
    }
  }
}

/** True for `build/esm` and `build/esnext`, which contain the modules of `build/src` for other module systems. */
function isOtherModuleFormat(folder, name) {
  return ['esm', 'esnext'].includes(name) && folder.endsWith('/build') && existsSync(join(folder, 'src'));
}

function isRuntimeFile(name) {
  return LICENCE.test(name) || RUNTIME_EXTENSIONS.includes(extname(name));
}

async function formatImageNotices(withAgent, prebuilt) {
  if (prebuilt === undefined) return imageNotices(checkout, withAgent);
  const { prebuiltImageNotices } = await import('./release/package-notices.mjs');
  return prebuiltImageNotices(checkout, withAgent);
}

async function stageImage(target, withAgent, prebuilt) {
  rmSync(target, { recursive: true, force: true });
  const copy = (from) => cpSync(join(checkout, from), join(target, from), { recursive: true });
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, NOTICES), await formatImageNotices(withAgent, prebuilt));
  for (const name of ['package.json', 'LICENSE', 'dist', 'policies', 'schema']) copy(name);
  copy(prebuilt === undefined ? 'build/Release/polytrace.node' : prebuiltFile(prebuilt));
  for (const folder of withAgent ? listPackages() : listLibraryPackages()) {
    const destination = folder.startsWith(`${AGENT}/`) ? join(AGENT_PACKAGE, folder.slice(AGENT.length + 1)) : folder;
    copyPackage(join(checkout, folder), join(target, destination));
  }
  if (withAgent) stageAgent(target);
}

function stageAgent(target) {
  for (const name of ['dist', 'proto', 'crds']) {
    copyPackage(join(checkout, AGENT, name), join(target, AGENT_PACKAGE, name));
  }
  cpSync(join(checkout, AGENT, 'package.json'), join(target, AGENT_PACKAGE, 'package.json'));
  // the agent imports the package by its name
  symlinkSync('..', join(target, 'node_modules/polytrace'));
}

const { values, positionals } = parseArgs({
  options: { 'without-agent': { type: 'boolean', default: false }, prebuilt: { type: 'string' } },
  allowPositionals: true,
});
if (positionals.length !== 1) throw new Error('usage: stage-image.mjs FOLDER [--without-agent] [--prebuilt x64|arm64]');
await stageImage(positionals[0], !values['without-agent'], values.prebuilt);
