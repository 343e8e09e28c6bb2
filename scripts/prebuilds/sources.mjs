// The sources of the libraries that are linked into prebuilt addons: Debian's source packages, with Debian's patches.
// Each is pinned by the hash of its .dsc file, which has the hashes of the package's other files.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findArchive, runProgram } from '../debian.mjs';
import { cachedFolder } from './toolchain.mjs';

const PURPOSE = 'sources of linked libraries';
const DISTRO = 'debian-13';

/**
 * Source packages by the name of the library. `debian` is the version of the package, without its epoch. When Debian replaces a
 * version, take the new one, with the hash of its .dsc file.
 */
export const SOURCES = {
  libbpf: {
    version: '1.5.0',
    debian: '1.5.0-3', // with the patch for CVE-2025-29481
    folder: 'libb/libbpf',
    dsc: 'b8fdd3a9c58a13d13e9da0927062f1237303db3a804207e423ec4335119d3245',
    files: ['libbpf_1.5.0.orig.tar.gz', 'libbpf_1.5.0-3.debian.tar.xz'],
    vendor: 'libbpf_project',
    texts: ['LICENSE', 'LICENSE.BSD-2-Clause', 'LICENSE.LGPL-2.1'],
  },
  elfutils: {
    version: '0.192',
    debian: '0.192-4',
    folder: 'e/elfutils',
    dsc: '37d101658c45a25afc15d2053a1378df2381dadbb368e262ede2cea79241779f',
    files: ['elfutils_0.192.orig.tar.bz2', 'elfutils_0.192-4.debian.tar.xz'],
    vendor: 'elfutils_project',
    texts: ['COPYING-LGPLV3', 'COPYING'],
  },
  zlib: {
    version: '1.3.1',
    debian: '1.3.dfsg+really1.3.1-1',
    folder: 'z/zlib',
    dsc: 'ede2791e29c1d3b422f9208bdd7edf040c20445ea1e7453a72037576e64fa197',
    files: ['zlib_1.3.dfsg+really1.3.1.orig.tar.gz', 'zlib_1.3.dfsg+really1.3.1-1.debian.tar.xz'],
    vendor: 'zlib',
    texts: ['LICENSE'],
    absent: {
      'CVE-2026-27171': 'crc32_combine() is not called, and the linker removes it',
      'CVE-2026-85091': 'cmake/bundled.cmake does not compile gzwrite.c',
    },
  },
  libzstd: {
    version: '1.5.7',
    debian: '1.5.7+dfsg-1',
    folder: 'libz/libzstd',
    dsc: '8f6ab97fa772d921334e50fa5756a0951e23c718dc913e43a228f28c1a23adf9',
    files: ['libzstd_1.5.7+dfsg.orig.tar.xz', 'libzstd_1.5.7+dfsg-1.debian.tar.xz'],
    vendor: 'facebook',
    product: 'zstandard',
    texts: ['LICENSE'],
    unreachable: { 'CVE-2026-124851': 'only the BPF objects in the file of the addon are decompressed, which its build wrote' },
  },
};

/** Where everybody can get the sources of a library, and Debian's patches. */
export const sourceAddresses = ({ folder, files }) =>
  files.map((file) => `https://deb.debian.org/debian/pool/main/${folder}/${file}`);

/** The identifiers of a library in databases of packages and of vulnerabilities. */
export const sourcePurl = (name, { debian }) =>
  `pkg:deb/debian/${name}@${encodeURIComponent(debian)}?arch=source&distro=${DISTRO}`;
export const sourceCpe = (name, { version, vendor, product = name }) =>
  `cpe:2.3:a:${vendor}:${product}:${version}:*:*:*:*:*:*:*`;

function download(name, { debian, folder, files, dsc }, work) {
  const archive = findArchive(PURPOSE).replace(/\/$/, '');
  const description = `${name}_${debian}.dsc`;
  for (const file of [description, ...files]) {
    const address = `${archive}/pool/main/${folder}/${file}`;
    const expected = file === description ? [`SHA256:${dsc}`] : [];
    try {
      runProgram(PURPOSE, '/usr/lib/apt/apt-helper', ['-qq', 'download-file', address, join(work, file), ...expected]);
    } catch (error) {
      const remedy = `if Debian has replaced ${debian}, change SOURCES in scripts/prebuilds/sources.mjs`;
      throw new Error(`${error.message}\n${remedy}`, { cause: error });
    }
  }
  const found = createHash('sha256').update(readFileSync(join(work, description))).digest('hex');
  if (found !== dsc) throw new Error(`${PURPOSE}: ${description} has the hash ${found}, not ${dsc}`);
  return join(work, description);
}

/** Returns the folder with the patched sources of the libraries, one folder for each. */
export function librarySources() {
  const key = Object.entries(SOURCES).map(([name, { debian, dsc }]) => [name, debian, dsc]);
  return cachedFolder('sources', key, (folder) => {
    const work = `${folder}.work`;
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work);
    for (const [name, source] of Object.entries(SOURCES)) {
      const description = download(name, source, work);
      // compares the hashes of the other files, and applies debian/patches
      const options = ['--no-check', '--require-strong-checksums', '-x'];
      runProgram(PURPOSE, 'dpkg-source', [...options, description, join(folder, name)]);
    }
    rmSync(work, { recursive: true });
  });
}
