// Provides the C and C++ libraries of an old Debian for prebuilt addons. They are downloaded once from the Debian archive
// into a folder outside the repository.
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findArchive, privateApt, runProgram } from '../debian.mjs';
import { SUITE, TARGETS } from './targets.mjs';

const PURPOSE = 'prebuilt addons';
export const CACHE = process.env.POLYTRACE_CACHE ?? join(homedir(), '.cache/polytrace');

/** The suite that CI builds with. */
const MUSL_SUITE = 'trixie';

/**
 * Calls `make(folder)` once for each key, and returns the folder. The folder gets its final name when it is complete.
 */
export function cachedFolder(name, key, make) {
  const hash = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 12);
  const folder = join(CACHE, `${name}-${hash}`);
  if (existsSync(folder)) return folder;
  const part = `${folder}.part-${process.pid}`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  make(part);
  renameSync(part, folder);
  return folder;
}

/** Returns the folder with the C and C++ libraries for an architecture. No program of that architecture runs. */
export function sysroot(arch) {
  const { debian, triple } = TARGETS[arch];
  const packages = ['libc6-dev', 'libstdc++-10-dev', 'linux-libc-dev'];
  return cachedFolder(`sysroot-${arch}`, [SUITE, packages, 1], (folder) => {
    runProgram(PURPOSE, 'mmdebstrap', [
      '--variant=extract',
      `--architectures=${debian}`,
      `--include=${packages.join(',')}`,
      SUITE,
      folder,
      findArchive(PURPOSE),
    ]);
    const libraries = join(folder, 'usr/lib', triple);
    // symbolic links with absolute paths would lead out of the folder
    for (const name of readdirSync(libraries)) {
      const file = join(libraries, name);
      const target = lstatSync(file).isSymbolicLink() ? readlinkSync(file) : '';
      if (!target.startsWith('/')) continue;
      rmSync(file);
      symlinkSync(`../../..${target}`, file);
    }
    // Debian's libc.so also names ld-linux. The loader of musl does not know that name, and would reject the addon.
    writeFileSync(join(libraries, 'libc.so'), 'GROUP ( libc.so.6 libc_nonshared.a )\n');
  });
}

/** Returns the folder with the files of Debian's musl package for an architecture. */
export function musl(arch) {
  return cachedFolder(`musl-${arch}`, [MUSL_SUITE], (folder) => {
    const work = `${folder}.apt`;
    mkdirSync(work, { recursive: true });
    const apt = privateApt(PURPOSE, work, MUSL_SUITE, TARGETS[arch].debian);
    apt('apt-get', 'update');
    apt('apt-get', 'download', 'musl');
    const file = readdirSync(work).find((each) => each.startsWith('musl_'));
    runProgram(PURPOSE, 'dpkg-deb', ['-x', join(work, file), folder]);
    rmSync(work, { recursive: true });
  });
}
