// npm run prebuilds [-- ARCH...]: builds prebuilds/linux-x64/polytrace.node and linux-arm64, and checks them. Both load
// on glibc and on musl. prebuildify runs compile.mjs where it would run node-gyp.
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import prebuildify from 'prebuildify';
import { reportProblems } from './check.mjs';
import { TARGETS } from './targets.mjs';

const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(folder));
const { engines, name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const requested = process.argv.slice(2);
for (const arch of requested.length > 0 ? requested : Object.keys(TARGETS)) {
  if (!TARGETS[arch]) throw new Error(`prebuilds: unknown architecture ${arch}: one of ${Object.keys(TARGETS).join(', ')}`);
  // the build folder of CMake: a later run compiles only changed files
  const cwd = join(root, 'build/prebuilds', arch);
  mkdirSync(cwd, { recursive: true });
  const target = `node@${/\d+/.exec(engines.node)[0]}.0.0`;
  await promisify(prebuildify)({ cwd, out: root, name, arch, platform: 'linux', napi: true, targets: [target], nodeGyp: join(folder, 'compile.mjs') });
  if (!reportProblems(root, arch)) process.exitCode = 1;
}
