// A file system with musl and without a compiler: Debian's musl and busybox, and Bun. The npm registry has no Node.js that is
// built for musl, but it has Bun and pnpm. Bun runs the program, and loads the addon with musl's loader.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { privateApt, runProgram } from '../../scripts/debian.mjs';
import { findPrebuildClang } from '../../scripts/prebuilds/clang.mjs';
import { cachedFolder, musl, sysroot } from '../../scripts/prebuilds/toolchain.mjs';
import { npmPackage, SUITES } from './roots.mjs';

const PURPOSE = 'tests of the package';
const here = dirname(fileURLToPath(import.meta.url));

/** A folder with the file system. It is read-only: see inRoot(). */
export function muslRoot() {
  const bun = join(npmPackage('@oven/bun-linux-x64-musl@1'), 'package/bin/bun');
  const libc = join(musl('x64'), 'usr/lib');
  return cachedFolder('musl-root', [bun, libc, 2], (folder) => {
    for (const name of ['bin', 'lib', 'dev', 'etc', 'proc', 'sys', 'tmp', 'usr/lib'])
      mkdirSync(join(folder, name), { recursive: true });
    copyFileSync(bun, join(folder, 'bin/bun'));
    chmodSync(join(folder, 'bin/bun'), 0o755);
    symlinkSync('bun', join(folder, 'bin/node'));
    // the loader is the library
    copyFileSync(join(libc, 'x86_64-linux-musl/libc.so'), join(folder, 'lib/ld-musl-x86_64.so.1'));
    makeCxxLibrary(bun, libc, join(folder, 'usr/lib/libstdc++.so.6'));
    installBusybox(folder);
  });
}

function installBusybox(folder) {
  const work = `${folder}.apt`;
  mkdirSync(work, { recursive: true });
  const apt = privateApt(PURPOSE, work, SUITES[13]);
  apt('apt-get', 'update');
  apt('apt-get', 'download', 'busybox-static');
  const file = readdirSync(work).find((each) => each.startsWith('busybox-static_'));
  runProgram(PURPOSE, 'dpkg-deb', ['-x', join(work, file), join(work, 'files')]);
  const busybox = join(work, 'files/usr/bin/busybox');
  copyFileSync(busybox, join(folder, 'bin/busybox'));
  for (const name of runProgram(PURPOSE, busybox, ['--list']).split('\n')) {
    if (name !== '' && name !== 'busybox') symlinkSync('busybox', join(folder, 'bin', name));
  }
  rmSync(work, { recursive: true });
}

/** Bun needs the C++ library of Alpine. This one has what Bun asks for, of Debian 11's. */
function makeCxxLibrary(bun, libc, output) {
  const root = sysroot('x64');
  const gcc = join(root, 'usr/lib/gcc/x86_64-linux-gnu/10');
  const inMusl = new Set(symbolNames(join(libc, 'x86_64-linux-musl/libc.so')));
  const wanted = symbolNames(bun).filter(
    (name) => /^(_ZN?K?St|_ZT|__cxa|__dyn|__once|_Unwind)/.test(name) && !inMusl.has(name),
  );
  const newer = `${output}.cc`;
  writeFileSync(
    newer,
    `namespace std {
      [[noreturn]] void __glibcxx_assert_fail(const char *, int, const char *, const char *) { __builtin_trap(); }
      [[noreturn]] void __throw_bad_array_new_length() { __builtin_trap(); }
    }`,
  );
  const target = [
    '--target=x86_64-linux-gnu',
    `--sysroot=${root}`,
    '-shared',
    '-fPIC',
    '-nostdlib',
    '-fuse-ld=lld',
    '-Wl,--gc-sections',
  ];
  const sources = ['-x', 'c++', newer, '-x', 'c', join(here, '../../native/base/portable.c'), '-x', 'none'];
  const libraries = ['libstdc++.a', 'libgcc_eh.a', 'libgcc.a'].map((name) => join(gcc, name));
  const symbols = wanted.map((name) => `-Wl,-u,${name}`);
  const names = ['-Wl,-soname,libstdc++.so.6', '-o', output];
  runProgram(PURPOSE, findPrebuildClang(), [
    ...target,
    ...names,
    ...symbols,
    ...sources,
    '-Wl,--start-group',
    ...libraries,
    '-Wl,--end-group',
  ]);
  rmSync(newer);
}

const symbolNames = (file) =>
  runProgram(PURPOSE, 'readelf', ['-W', '--dyn-syms', file], { maxBuffer: 64 * 1024 * 1024 })
    .split('\n')
    .map((line) => /^ *\d+: .* ([^\s@]+)(@\S+)?$/.exec(line)?.[1])
    .filter((name) => name !== undefined);
