/** `polytrace rebuild`: builds the addon for this machine from the sources of the package. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { KERNEL, SUCCESS, type Context } from './context.js';

const ROOT = join(__dirname, '..', '..');

/**
 * Debian packages, each with a program that shows that the package is installed. CMake checks versions more exactly.
 */
const PROGRAMS: readonly (readonly [debianPackage: string, program: RegExp])[] = [
  ['clang-19', /^clang(-(1[6-9]|[2-9]\d))?$/],
  ['bpftool', /^bpftool$/],
  ['cmake', /^cmake$/],
  ['g++', /^(g\+\+|c\+\+|clang\+\+(-\d+)?)$/],
  ['make', /^(make|ninja)$/],
  ['pkg-config', /^pkg-config$/],
  ['zstd', /^zstd$/],
];
/** Debian packages, each with its pkg-config module. */
const MODULES = { 'libbpf-dev': 'libbpf', 'libelf-dev': 'libelf', 'libzstd-dev': 'libzstd' };
/** npm packages with header files only. */
const HEADERS = ['node-addon-api', 'node-api-headers'] as const;

export function rebuild({ stderr, env }: Context): number {
  const debian = missingPackages(env['PATH']);
  const folders = HEADERS.map((name) => [name, findPackageFolder(name)] as const);
  const npm = folders.filter(([, folder]) => folder === undefined).map(([name]) => name);
  const remedies = [
    ...(process.platform === 'linux' ? [] : ['the addon needs Linux']),
    ...(['x64', 'arm64'].includes(process.arch) ? [] : ['the addon needs x64 or arm64']),
    ...(debian.length > 0 ? [`missing: ${debian.join(', ')} (Debian: apt-get install ${debian.join(' ')})`] : []),
    ...(npm.length > 0 ? [`missing: ${npm.join(', ')} (npm install --no-save ${npm.join(' ')})`] : []),
    ...(isWritable(ROOT) ? [] : [`${ROOT} cannot be written`]),
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
  return SUCCESS;
}

function missingPackages(path = ''): string[] {
  const names = [...path.split(delimiter), '/usr/sbin', '/sbin'].flatMap(listFiles);
  const programs = PROGRAMS.filter(([, pattern]) => !names.some((name) => pattern.test(name))).map(([name]) => name);
  const modules = Object.entries(MODULES).filter(
    ([, module]) => spawnSync('pkg-config', ['--exists', module], { env: { ...process.env, PATH: path } }).status !== 0,
  );
  return [...programs, ...modules.map(([name]) => name)];
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Finds an npm package from this package, and from the working directory. */
function findPackageFolder(name: string): string | undefined {
  for (const from of [ROOT, process.cwd()]) {
    try {
      return dirname(createRequire(join(from, 'package.json')).resolve(`${name}/package.json`));
    } catch {
      // try the next folder
    }
  }
  return undefined;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
