// Provides the C and C++ libraries of an old Debian, and the sources of linked libraries, for prebuilt addons. They are
// downloaded once from the Debian archive into a folder outside the repository.
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
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

/** Debian source packages of the linked libraries. They come from the suite that CI builds with. */
export const LIBRARIES = ['libbpf', 'elfutils', 'zlib'];
const SOURCE_SUITE = 'trixie';

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
  return cachedFolder(`musl-${arch}`, [SOURCE_SUITE], (folder) => {
    const work = `${folder}.apt`;
    mkdirSync(work, { recursive: true });
    const apt = privateApt(PURPOSE, work, SOURCE_SUITE, TARGETS[arch].debian);
    apt('apt-get', 'update');
    apt('apt-get', 'download', 'musl');
    const file = readdirSync(work).find((each) => each.startsWith('musl_'));
    runProgram(PURPOSE, 'dpkg-deb', ['-x', join(work, file), folder]);
    rmSync(work, { recursive: true });
  });
}

/** Returns the folder with the upstream sources of the libraries, one folder for each, and versions.json. */
export function librarySources() {
  return cachedFolder('sources', [SOURCE_SUITE, LIBRARIES], (folder) => {
    const work = `${folder}.apt`;
    mkdirSync(work, { recursive: true });
    const apt = privateApt(PURPOSE, work, SOURCE_SUITE);
    apt('apt-get', 'update');
    const versions = {};
    for (const name of LIBRARIES) {
      apt('apt-get', 'source', '--download-only', '--tar-only', name);
      const file = readdirSync(work).find((each) => each.startsWith(`${name}_`) && /\.orig\.tar\.\w+$/.test(each));
      mkdirSync(join(folder, name));
      runProgram(PURPOSE, 'tar', ['-xf', join(work, file), '--strip-components', '1', '-C', join(folder, name)]);
      const sha256 = createHash('sha256').update(readFileSync(join(work, file))).digest('hex');
      versions[name] = { version: /_(.*)\.orig\./.exec(file)[1].replace(/^.*\+really/, ''), file, sha256 };
    }
    writeFileSync(join(folder, 'versions.json'), JSON.stringify(versions, undefined, 2));
    rmSync(work, { recursive: true });
  });
}
