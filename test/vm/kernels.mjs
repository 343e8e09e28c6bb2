// Finds the kernel of the requested version: one that is installed in /boot, or one from another Debian suite. The
// latter is downloaded once into .cache/kernels.
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { privateApt, runProgram } from '../../scripts/debian.mjs';
import { buildInitramfs } from './initramfs.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const cache = join(root, '.cache/kernels');
const PURPOSE = 'kernel download';

/** Debian suites by kernel version. Kernels without built-in virtiofs need an initramfs. */
const suites = { '5.10': 'bullseye', 6.1: 'bookworm' };

/**
 * Suites whose current kernel has built-in virtiofs: the newest kernel for the stable Debian release, and the newest one
 * in Debian.
 */
const currentSuites = { newest: 'trixie-backports', sid: 'sid' };

/** A module that tests load. It is kept next to the kernel, and needs no device and no other module. */
const testModule = 'dummy.ko';

/** Without these, a kernel is downloaded again. */
const FILES = ['initramfs', testModule];
/** The same for a current kernel. */
const CURRENT_FILES = ['vmlinuz'];

const hasFiles = (folder, files) => files.every((name) => existsSync(join(folder, name)));

export const knownKernels = ['6.12', ...Object.keys(suites), ...Object.keys(currentSuites)];

/** Returns {version, image, initramfs?} of a kernel, e.g. '6.12'. Downloads it if it is from another suite. */
export function findKernel(version) {
  if (currentSuites[version]) return findCurrent(version);
  const installed = newestImage('/boot', version);
  if (installed) return { version, image: installed };
  const suite = suites[version];
  if (!suite) {
    throw new Error(
      `no kernel ${version} in /boot: install the Debian package linux-image-amd64 (or ask for ${knownKernels.join(', ')})`,
    );
  }
  const folder = join(cache, version);
  if (!hasFiles(folder, FILES)) download(version, suite, folder);
  return { version, image: newestImage(join(folder, 'boot'), version), initramfs: join(folder, 'initramfs') };
}

/** Finds the current kernel of a suite. It has no modules, and therefore no initramfs. */
function findCurrent(version) {
  const folder = join(cache, version);
  if (!hasFiles(folder, CURRENT_FILES)) downloadCurrent(version, folder);
  return { version, image: join(folder, 'vmlinuz') };
}

function newestImage(folder, version) {
  if (!existsSync(folder)) return undefined;
  const images = readdirSync(folder).filter((name) => name.startsWith(`vmlinuz-${version}.`));
  images.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const newest = images.pop();
  return newest && join(folder, newest);
}

/** Removes what runs that were ended have left of their downloads. */
function removeLeftOvers() {
  for (const name of readdirSync(cache)) {
    const [, pid] = /\.part-(\d+)$/.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

/** Returns an apt for the suite, in an empty folder next to `folder`. Two runs may download at the same time. */
function startDownload(version, suite, folder) {
  console.error(`vm: downloading kernel ${version} of Debian ${suite} (once, into .cache/kernels)`);
  mkdirSync(cache, { recursive: true });
  removeLeftOvers();
  const work = `${folder}.part-${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  const apt = privateApt(PURPOSE, work, suite);
  apt('apt-get', 'update');
  const depends = (name) => apt('apt-cache', 'depends', '--important', name);
  const unpack = (name) => {
    apt('apt-get', 'download', name);
    const file = readdirSync(work).find((each) => each.startsWith(`${name}_`));
    runProgram(PURPOSE, 'dpkg-deb', ['-x', join(work, file), join(work, 'files')]);
  };
  return { work, depends, unpack };
}

/**
 * Downloads the current kernel of a suite. Its image is in the package linux-binary-VERSION, which linux-image-VERSION depends on.
 */
function downloadCurrent(version, folder) {
  const suite = currentSuites[version];
  const { work, depends, unpack } = startDownload(version, suite, folder);
  const image = /Depends: (linux-image-\d\S+)/.exec(depends('linux-image-amd64'))?.[1];
  const name = image && /Depends: (linux-binary-\d\S+)/.exec(depends(image))?.[1];
  if (!name) throw new Error(`kernel download: Debian ${suite} has no kernel image`);
  unpack(name);
  mkdirSync(join(work, 'kernel'));
  const release = name.replace('linux-binary-', '');
  renameSync(join(work, 'files/usr/lib/modules', release, 'vmlinuz'), join(work, 'kernel/vmlinuz'));
  endDownload(work, folder, CURRENT_FILES);
}

/** Puts the kernel into its place, unless another run has done so. A folder without one of `files` is replaced. */
function endDownload(work, folder, files) {
  if (!hasFiles(folder, files)) rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(join(work, 'kernel'), folder);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY') throw error;
  }
  rmSync(work, { recursive: true });
}

function download(version, suite, folder) {
  const { work, depends, unpack } = startDownload(version, suite, folder);
  const all = depends('linux-image-amd64');
  const name = new RegExp(`Depends: (linux-image-${version.replace('.', '\\.')}\\S+)`).exec(all)?.[1];
  if (!name) throw new Error(`kernel download: Debian ${suite} has no kernel ${version}: ${all.trim()}`);
  unpack(name);
  mkdirSync(join(work, 'kernel'));
  const release = name.replace('linux-image-', '');
  renameSync(join(work, 'files/boot'), join(work, 'kernel/boot'));
  buildInitramfs(join(work, 'files'), release, join(work, 'kernel/initramfs'));
  const modules = join(work, 'files/lib/modules', release);
  copyFileSync(join(modules, 'kernel/drivers/net', testModule), join(work, 'kernel', testModule));
  endDownload(work, folder, FILES);
}
