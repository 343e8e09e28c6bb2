// Puts what the container image runs into an empty folder: stage-image.mjs FOLDER. The package, the package of the agent, and the
// packages that they need to run, by package-lock.json, without types and maps. `npm run build` must have run.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

/** The package's own files, not those of packages below it: the lock file names these as well. */
function copyPackage(from, to) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules') copyPackage(source, target);
    } else if (isRead(entry.name)) {
      mkdirSync(to, { recursive: true });
      cpSync(source, target);
    }
  }
}

function isRead(name) {
  return LICENCE.test(name) || READ.includes(extname(name));
}

function stageImage(target) {
  rmSync(target, { recursive: true, force: true });
  const copy = (from, to = from) => cpSync(join(checkout, from), join(target, to), { recursive: true });
  for (const name of ['package.json', 'dist', 'schema', 'build/Release/polytrace.node']) copy(name);
  copy(join(AGENT, 'package.json'), join(AGENT_PACKAGE, 'package.json'));
  for (const name of ['dist', 'proto', 'crds']) {
    copyPackage(join(checkout, AGENT, name), join(target, AGENT_PACKAGE, name));
  }
  for (const folder of packages()) {
    const place = folder.startsWith(`${AGENT}/`) ? join(AGENT_PACKAGE, folder.slice(AGENT.length + 1)) : folder;
    copyPackage(join(checkout, folder), join(target, place));
  }
  // the agent imports the package by its name
  symlinkSync('..', join(target, 'node_modules/polytrace'));
}

const target = process.argv[2];
if (target === undefined) throw new Error('usage: stage-image.mjs FOLDER');
stageImage(target);
