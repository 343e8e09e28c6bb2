// node scripts/prebuilds/check.mjs: checks that the prebuilt addons can be loaded on each supported system.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingProtections } from './hardening.mjs';
import { GLIBC_FLOOR, TARGETS, prebuiltFile } from './targets.mjs';
import { musl } from './toolchain.mjs';

/** Libraries of glibc. The loader of musl accepts these names for its own library. */
const LIBC_LIBRARIES = /^lib(c|m|dl|pthread|rt)\.so\.\d$/;

/** Symbols that the addon uses only if they exist. */
const OPTIONAL = /^(_ITM_(de)?registerTMCloneTable|__gmon_start__|malloc_trim|__cxa_thread_atexit_impl|__cxa_finalize)$/;

/** Functions of Node.js. */
const NODE_API = /^napi_/;

/** Functions that always fail in Electron, because its V8 uses a memory cage. */
const NOT_IN_ELECTRON = /^napi_create_external_(array)?buffer$/;

/** Symbols that Node.js looks up in the addon. */
const EXPORTED = /^(napi_register_module_v1|node_api_module_get_api_version_v1)$/;

/** Parses the symbols of an ELF file from the output of readelf. An undefined symbol has the section UND. */
function parseSymbols(text) {
  const lines = text.matchAll(/^ *\d+: [0-9a-f]+ +\S+ \S+ +(\S+) +\S+ +(?:\[.*\] +)?(\S+) +([^\s@]+)(?:@+(\S+))?/gm);
  return [...lines].map(([, binding, section, name, version = '']) => ({ binding, section, name, version }));
}

const readelf = (file, ...options) =>
  execFileSync('readelf', ['-W', ...options, file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const muslNames = new Map();

/** True if musl for this architecture has the function. Its loader resolves names like fopen64 to fopen. */
function isMuslSymbol(name, arch) {
  if (!muslNames.has(arch)) muslNames.set(arch, definedNames(join(musl(arch), 'usr/lib', TARGETS[arch].musl)));
  const names = muslNames.get(arch);
  return names.has(name) || (name.endsWith('64') && names.has(name.slice(0, -2)));
}

function definedNames(file) {
  const symbols = parseSymbols(readelf(file, '--dyn-syms'));
  return new Set(symbols.filter(({ section }) => section !== 'UND').map(({ name }) => name));
}

/** Returns the reasons why the file cannot be loaded on Linux with this architecture, and the protections that it lacks. */
export function checkAddon(file, arch, isInMusl = isMuslSymbol) {
  let text;
  try {
    text = readelf(file, '-h', '-d', '-l', '-S', '--dyn-syms');
  } catch (error) {
    return [`it cannot be read: ${String(error.stderr ?? error.message).trim()}`];
  }
  const machine = /^\s*Machine:\s*(.*)$/m.exec(text)?.[1];
  const needed = [...text.matchAll(/\(NEEDED\)\s+Shared library: \[(.*)\]/g)].map(([, name]) => name);
  const symbols = parseSymbols(text).filter(({ binding }) => binding !== 'LOCAL');
  const wanted = symbols.filter(({ section, name }) => section === 'UND' && !NODE_API.test(name) && !OPTIONAL.test(name));
  const refused = symbols.filter(({ section, name }) => section === 'UND' && NOT_IN_ELECTRON.test(name));
  const exported = symbols.filter(({ section }) => section !== 'UND').map(({ name }) => name);
  const isForMachine = machine === TARGETS[arch].machine;
  const isAddon = exported.some((name) => EXPORTED.test(name));
  return [
    ...(isForMachine ? [] : [`it is for ${machine ?? 'an unknown machine'}, not for ${arch}`]),
    ...(isAddon ? [] : ['it is not an addon']),
    ...(isForMachine && isAddon ? missingProtections(file, arch, text).map((each) => `it lacks ${each}`) : []),
    ...exported.filter((name) => !EXPORTED.test(name)).map((name) => `it exports ${name}`),
    ...needed.filter((name) => !LIBC_LIBRARIES.test(name)).map((name) => `it needs ${name}`),
    ...wanted.filter(({ version }) => isTooNew(version)).map(({ name, version }) => `${name} needs ${version}`),
    ...wanted.filter(({ name }) => !isInMusl(name, arch)).map(({ name }) => `musl has no ${name}`),
    ...refused.map(({ name }) => `it calls ${name}, which fails in Electron`),
    ...(/\] \.symtab /.test(text) ? ['it is not stripped'] : []),
  ];
}

/**
 * True for a version that is not one of glibc, or above the supported one. Symbols without a version are in the loader.
 */
function isTooNew(version) {
  if (version === '') return false;
  const number = /^GLIBC_(\d[\d.]*)$/.exec(version)?.[1];
  return number === undefined || number.localeCompare(GLIBC_FLOOR, 'en', { numeric: true }) > 0;
}

/** Prints the problems of the addon of an architecture. Returns true if there are none. */
export function reportProblems(root, arch) {
  const file = prebuiltFile(arch);
  const problems = checkAddon(join(root, file), arch);
  for (const problem of problems) console.error(`${file}: ${problem}`);
  if (problems.length === 0) console.log(`${file}: loads on glibc ${GLIBC_FLOOR} and later, and on musl`);
  return problems.length === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const good = Object.keys(TARGETS).map((arch) => reportProblems(root, arch));
  if (!good.every(Boolean)) process.exitCode = 1;
}
