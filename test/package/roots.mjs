// Fresh file systems to install the package in: Debian releases without a compiler, with Node.js from the npm registry.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findArchive, runProgram } from '../../scripts/debian.mjs';
import { cachedFolder } from '../../scripts/prebuilds/toolchain.mjs';

const PURPOSE = 'tests of the package';

/** Suites by the number of the Debian release. */
export const SUITES = { 11: 'bullseye', 12: 'bookworm', 13: 'trixie' };

/** Package managers that are tested. npm comes with Node.js. */
export const MANAGERS = { pnpm: 'pnpm@10.20.0', 'yarn 1': 'yarn@1.22.22', 'yarn 4': '@yarnpkg/cli-dist@4.10.3' };

/** A folder with a minimal Debian. It is read-only: see inRoot(). */
export function debianRoot(release) {
  const packages = ['ca-certificates', 'libatomic1', 'libstdc++6'];
  return cachedFolder(`debian-${release}`, [packages], (folder) => {
    const options = ['--variant=minbase', `--include=${packages.join(',')}`];
    runProgram(PURPOSE, 'mmdebstrap', [...options, SUITES[release], folder, findArchive(PURPOSE)]);
  });
}

/** The folder of a package of the npm registry, such as `pnpm@latest`. */
export function npmPackage(specifier) {
  return cachedFolder(specifier.replaceAll(/[@/]+/g, '-').replace(/^-/, 'npm-'), [specifier], (folder) => {
    runProgram(PURPOSE, 'npm', ['pack', '--silent', '--pack-destination', folder, specifier]);
    const file = readdirSync(folder).find((each) => each.endsWith('.tgz'));
    mkdirSync(join(folder, 'package'));
    runProgram(PURPOSE, 'tar', ['-xzf', join(folder, file), '--strip-components', '1', '-C', join(folder, 'package')]);
  });
}

/**
 * A shell command that runs `script` in a temporary copy of the root. `folders` are the folders of this machine that are
 * mounted in it. The package sources and certificates of this machine's npm are used.
 */
export function inRoot(root, folders, script) {
  const mounts = Object.entries(folders).map(
    ([inside, outside]) => `mkdir -p m${inside} && mount --bind '${outside}' m${inside}`,
  );
  const outer = [
    'set -e',
    'mount -t tmpfs none /mnt && cd /mnt && mkdir u w m',
    `mount -t overlay overlay -o lowerdir='${root}',upperdir=u,workdir=w m`,
    'for each in proc sys dev; do mkdir -p m/$each; mount --rbind /$each m/$each; done',
    ...mounts,
    'cp -L /etc/resolv.conf /etc/hosts m/etc/',
    'test -z "$NODE_EXTRA_CA_CERTS" || cp -L "$NODE_EXTRA_CA_CERTS" m/etc/npm-certificates.crt',
    'mkdir m/app',
    'chroot m /bin/sh -e -c "$SCRIPT"',
  ].join('\n');
  return ['unshare', ['--mount', '--fork', '--kill-child', 'sh', '-c', outer], script];
}
