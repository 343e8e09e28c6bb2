// Puts what the container image runs into an empty folder: stage-image.mjs FOLDER [--without-agent]. The package, the package of the
// agent, and the packages that they need to run, by package-lock.json, without types and maps. `npm run build` must have run.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const checkout = join(dirname(fileURLToPath(import.meta.url)), '..');
const AGENT = 'agent';
const AGENT_PACKAGE = 'node_modules/polytrace-agent';
/** Files of packages that a program reads. Others are for compilers, editors and other runtimes. */
const READ = ['.js', '.cjs', '.mjs', '.json', '.node', '.proto', '.wasm', '.yaml'];
const LICENCE = /^(licen[cs]e|notice|copying)/i;

/** The packages that are needed to run, by their folders. */
function packages() {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8'));
  return Object.entries(lock.packages)
    .filter(([folder, entry]) => folder.includes('node_modules/') && !entry.dev && !entry.link)
    .map(([folder]) => folder)
    .filter((folder) => !folder.includes('node_modules/@types/') && existsSync(join(checkout, folder)));
}

/** Those of the library, which need no others. */
function packagesOfLibrary() {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  return Object.keys({ ...dependencies, ...peerDependencies }).map((name) => `node_modules/${name}`);
}

/** The package's own files, not those of packages below it: the lock file names these as well. */
function copyPackage(from, to) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules' && !isCopy(from, entry.name)) copyPackage(source, target);
    } else if (isRead(entry.name)) {
      mkdirSync(to, { recursive: true });
      cpSync(source, target);
    }
  }
}

/** The same for other module systems, beside the CommonJS that the agent loads: `build/src`, `build/esm`, `build/esnext`. */
function isCopy(folder, name) {
  return ['esm', 'esnext'].includes(name) && folder.endsWith('/build') && existsSync(join(folder, 'src'));
}

function isRead(name) {
  return LICENCE.test(name) || READ.includes(extname(name));
}

function stageImage(target, withAgent) {
  rmSync(target, { recursive: true, force: true });
  const copy = (from) => cpSync(join(checkout, from), join(target, from), { recursive: true });
  for (const name of ['package.json', 'dist', 'schema', 'build/Release/polytrace.node']) copy(name);
  for (const folder of withAgent ? packages() : packagesOfLibrary()) {
    const place = folder.startsWith(`${AGENT}/`) ? join(AGENT_PACKAGE, folder.slice(AGENT.length + 1)) : folder;
    copyPackage(join(checkout, folder), join(target, place));
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
  options: { 'without-agent': { type: 'boolean', default: false } },
  allowPositionals: true,
});
if (positionals.length !== 1) throw new Error('usage: stage-image.mjs FOLDER [--without-agent]');
stageImage(positionals[0], !values['without-agent']);
