#!/usr/bin/env node
// prebuildify runs this script instead of node-gyp. The script builds build/Release/polytrace.node in the current
// folder.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPrebuildClang } from './clang.mjs';
import { librarySources } from './sources.mjs';
import { TARGETS } from './targets.mjs';
import { sysroot } from './toolchain.mjs';

const arch = process.env.PREBUILD_ARCH;
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const require = createRequire(import.meta.url);
const cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin/cmake-js');

const options = {
  CMAKE_TOOLCHAIN_FILE: join(root, 'cmake/toolchain.cmake'),
  POLYTRACE_LIBRARY_SOURCES: librarySources(),
  POLYTRACE_OUTPUT: join(process.cwd(), 'build'),
};
const env = { ...process.env, POLYTRACE_TRIPLE: TARGETS[arch].triple, POLYTRACE_SYSROOT: sysroot(arch), POLYTRACE_CLANG: findPrebuildClang() };
for (const step of ['configure', 'build']) {
  const settings = Object.entries(options).map(([name, value]) => `--CD${name}=${value}`);
  const folders = ['--directory', root, '--out', join(process.cwd(), 'cmake'), '--arch', arch];
  execFileSync(process.execPath, [cmakeJs, step, ...folders, ...settings], { cwd: root, env, stdio: 'inherit' });
}
