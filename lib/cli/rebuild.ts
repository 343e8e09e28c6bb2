/** `polytrace rebuild`: builds the addon from the sources of the package, for this machine. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { GOOD, KERNEL, type Context } from './context.js';

const ROOT = join(__dirname, '..', '..');

/** Debian packages, and the programs and pkg-config modules that show that they are there. CMake checks them more exactly. */
const PROGRAMS: readonly (readonly [debianPackage: string, program: RegExp])[] = [
  ['clang-19', /^clang(-(1[6-9]|[2-9]\d))?$/],
  ['bpftool', /^bpftool$/],
  ['cmake', /^cmake$/],
  ['g++', /^(g\+\+|c\+\+|clang\+\+(-\d+)?)$/],
  ['make', /^(make|ninja)$/],
  ['pkg-config', /^pkg-config$/],
];
const MODULES = { 'libbpf-dev': 'libbpf', 'libelf-dev': 'libelf', 'zlib1g-dev': 'zlib' };
/** npm packages with header files only. */
const HEADERS = ['node-addon-api', 'node-api-headers'] as const;

export function rebuild({ stderr, env }: Context): number {
  const debian = missingPackages(env['PATH']);
  const folders = HEADERS.map((name) => [name, folderOf(name)] as const);
  const npm = folders.filter(([, folder]) => folder === undefined).map(([name]) => name);
  const remedies = [
    ...(process.platform === 'linux' ? [] : ['the addon needs Linux']),
    ...(debian.length > 0 ? [`missing: ${debian.join(', ')} (Debian: apt-get install ${debian.join(' ')})`] : []),
    ...(npm.length > 0 ? [`missing: ${npm.join(', ')} (npm install --no-save ${npm.join(' ')})`] : []),
    ...(writable(ROOT) ? [] : [`${ROOT} cannot be written`]),
  ];
  if (remedies.length > 0) {
    stderr.write(remedies.map((each) => `polytrace: rebuild: ${each}\n`).join(''));
    return KERNEL;
  }
  const includes = folders.map(([name, folder]) =>
    name === 'node-addon-api' ? folder : join(folder ?? '', 'include'),
  );
  const build = join(ROOT, 'build', 'cmake');
  const steps = [
    ['-S', ROOT, '-B', build, '-DCMAKE_BUILD_TYPE=Release', `-DCMAKE_JS_INC=${includes.join(';')}`],
    ['--build', build],
  ];
  for (const step of steps) {
    const { status } = spawnSync('cmake', step, { stdio: 'inherit', env });
    if (status === 0) continue;
    stderr.write('polytrace: rebuild: the build failed, see above\n');
    return KERNEL;
  }
  stderr.write(`polytrace: rebuild: ${join(ROOT, 'build/Release/polytrace.node')} is used from now on\n`);
  return GOOD;
}

function missingPackages(path = ''): string[] {
  const names = [...path.split(delimiter), '/usr/sbin', '/sbin'].flatMap(filesOf);
  const programs = PROGRAMS.filter(([, pattern]) => !names.some((name) => pattern.test(name))).map(([name]) => name);
  const modules = Object.entries(MODULES).filter(
    ([, module]) => spawnSync('pkg-config', ['--exists', module], { env: { ...process.env, PATH: path } }).status !== 0,
  );
  return [...programs, ...modules.map(([name]) => name)];
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The folder of an npm package that this package or the program in the working directory has; undefined if none has it. */
function folderOf(name: string): string | undefined {
  for (const from of [ROOT, process.cwd()]) {
    try {
      return dirname(createRequire(join(from, 'package.json')).resolve(`${name}/package.json`));
    } catch {
      // the next place
    }
  }
  return undefined;
}

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
