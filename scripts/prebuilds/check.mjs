// node scripts/prebuilds/check.mjs: reads the prebuilt addons and says what would keep them from being loaded somewhere.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GLIBC_FLOOR, TARGETS, prebuiltFile } from './targets.mjs';
import { musl } from './toolchain.mjs';

/** Parts of glibc. musl's loader takes each of these names as its own. */
const PARTS_OF_LIBC = /^lib(c|m|dl|pthread|rt)\.so\.\d$/;

/** What the addon uses only where it exists. */
const OPTIONAL = /^(_ITM_(de)?registerTMCloneTable|__gmon_start__|malloc_trim|__cxa_thread_atexit_impl|__cxa_finalize)$/;

/** Functions of Node.js. */
const NODE_API = /^napi_/;

/** Those that always fail in Electron, whose V8 has its memory in a cage. */
const NOT_IN_ELECTRON = /^napi_create_external_(array)?buffer$/;

/** What Node.js looks for in the addon. */
const EXPORTED = /^(napi_register_module_v1|node_api_module_get_api_version_v1)$/;

/** The symbols of an ELF file: {section, name, version}. An undefined symbol has the section UND. */
function symbolsOf(text) {
  const lines = text.matchAll(/^ *\d+: [0-9a-f]+ +\S+ \S+ +(\S+) +\S+ +(?:\[.*\] +)?(\S+) +([^\s@]+)(?:@+(\S+))?/gm);
  return [...lines].map(([, binding, section, name, version = '']) => ({ binding, section, name, version }));
}

const readelf = (file, ...options) =>
  execFileSync('readelf', ['-W', ...options, file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const muslNames = new Map();

/** Whether musl for this architecture has the function. Its loader takes names like fopen64 for fopen. */
function inMusl(name, arch) {
  if (!muslNames.has(arch)) muslNames.set(arch, namesOf(join(musl(arch), 'usr/lib', TARGETS[arch].musl)));
  const names = muslNames.get(arch);
  return names.has(name) || (name.endsWith('64') && names.has(name.slice(0, -2)));
}

function namesOf(file) {
  const symbols = symbolsOf(readelf(file, '--dyn-syms'));
  return new Set(symbols.filter(({ section }) => section !== 'UND').map(({ name }) => name));
}

/** What keeps the file from being loaded on a Linux of this architecture, a sentence each. */
export function checkAddon(file, arch, isInMusl = inMusl) {
  let text;
  try {
    text = readelf(file, '-h', '-d', '-S', '--dyn-syms');
  } catch (error) {
    return [`it cannot be read: ${String(error.stderr ?? error.message).trim()}`];
  }
  const machine = /^\s*Machine:\s*(.*)$/m.exec(text)?.[1];
  const needed = [...text.matchAll(/\(NEEDED\)\s+Shared library: \[(.*)\]/g)].map(([, name]) => name);
  const symbols = symbolsOf(text).filter(({ binding }) => binding !== 'LOCAL');
  const wanted = symbols.filter(({ section, name }) => section === 'UND' && !NODE_API.test(name) && !OPTIONAL.test(name));
  const refused = symbols.filter(({ section, name }) => section === 'UND' && NOT_IN_ELECTRON.test(name));
  const exported = symbols.filter(({ section }) => section !== 'UND').map(({ name }) => name);
  return [
    ...(machine === TARGETS[arch].machine ? [] : [`it is for ${machine ?? 'an unknown machine'}, not for ${arch}`]),
    ...(exported.some((name) => EXPORTED.test(name)) ? [] : ['it is not an addon']),
    ...exported.filter((name) => !EXPORTED.test(name)).map((name) => `it exports ${name}`),
    ...needed.filter((name) => !PARTS_OF_LIBC.test(name)).map((name) => `it needs ${name}`),
    ...wanted.filter(({ version }) => tooNew(version)).map(({ name, version }) => `${name} needs ${version}`),
    ...wanted.filter(({ name }) => !isInMusl(name, arch)).map(({ name }) => `musl has no ${name}`),
    ...refused.map(({ name }) => `it calls ${name}, which fails in Electron`),
    ...(/\] \.symtab /.test(text) ? ['it is not stripped'] : []),
  ];
}

/** Whether this is not a version of glibc up to the floor. The loader itself has the symbols without a version. */
function tooNew(version) {
  if (version === '') return false;
  const number = /^GLIBC_(\d[\d.]*)$/.exec(version)?.[1];
  return number === undefined || number.localeCompare(GLIBC_FLOOR, 'en', { numeric: true }) > 0;
}

/** Prints what is wrong with the addon of an architecture. Returns whether nothing is. */
export function report(root, arch) {
  const file = prebuiltFile(arch);
  const problems = checkAddon(join(root, file), arch);
  for (const problem of problems) console.error(`${file}: ${problem}`);
  if (problems.length === 0) console.log(`${file}: loads on glibc ${GLIBC_FLOOR} and later, and on musl`);
  return problems.length === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const good = Object.keys(TARGETS).map((arch) => report(root, arch));
  if (!good.every(Boolean)) process.exitCode = 1;
}
