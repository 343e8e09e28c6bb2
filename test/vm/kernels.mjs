// Finds the kernel of the requested version: one that is installed in /boot, or one from another Debian suite. The
// latter is downloaded once into .cache/kernels with a separate apt state, so that the package sources of the machine
// do not change.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildInitramfs } from './initramfs.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const cache = join(root, '.cache/kernels');

/** Debian suites by kernel version. Kernels without built-in virtiofs need an initramfs. */
const suites = { '5.10': 'bullseye', 6.1: 'bookworm' };

/** The suite of the kernel called `newest`: the current kernel of that suite, with built-in virtiofs. */
const newestSuite = 'trixie-backports';

/** A module that tests load. It is kept next to the kernel, and needs no device and no other module. */
const testModule = 'dummy.ko';

export const knownKernels = ['6.12', ...Object.keys(suites), 'newest'];

/** Returns {version, image, initramfs?} of a kernel, e.g. '6.12'. Downloads it if it is from another suite. */
export function findKernel(version) {
  if (version === 'newest') return findNewest();
  const installed = newestImage('/boot', version);
  if (installed) return { version, image: installed };
  const suite = suites[version];
  if (!suite) {
    throw new Error(
      `no kernel ${version} in /boot: install the Debian package linux-image-amd64 (or ask for ${knownKernels.join(', ')})`,
    );
  }
  const folder = join(cache, version);
  if (!['initramfs', testModule].every((name) => existsSync(join(folder, name)))) download(version, suite, folder);
  return { version, image: newestImage(join(folder, 'boot'), version), initramfs: join(folder, 'initramfs') };
}

/** Finds the newest kernel. It has no modules, and therefore no initramfs. */
function findNewest() {
  const folder = join(cache, 'newest');
  if (!existsSync(join(folder, 'vmlinuz'))) downloadNewest(folder);
  return { version: 'newest', image: join(folder, 'vmlinuz') };
}

function newestImage(folder, version) {
  if (!existsSync(folder)) return undefined;
  const images = readdirSync(folder).filter((name) => name.startsWith(`vmlinuz-${version}.`));
  images.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const newest = images.pop();
  return newest && join(folder, newest);
}

function run(program, args, options = {}) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
  } catch (error) {
    const detail = error.code === 'ENOENT' ? `${program} is missing` : (error.stderr ?? error.message).trim();
    throw new Error(`kernel download: ${program} ${args.at(-1)}: ${detail}`, { cause: error });
  }
}

/** The Debian archive that this machine already uses. It also provides kernels of other suites. */
function archive() {
  const uris = run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']).split('\n');
  const uri = uris.find((each) => /^https?:.*\/debian\/?$/.test(each));
  if (!uri) throw new Error('kernel download: this machine has no Debian archive among its apt sources');
  return uri;
}

/** An apt command with its own lists, cache and sources below `folder`. */
function privateApt(folder, suite) {
  for (const name of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, name), { recursive: true });
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${keyring}] ${archive()} ${suite} main\n`);
  writeFileSync(join(folder, 'status'), '');
  const options = [
    `Dir::Etc::sourcelist=${folder}/sources.list`,
    'Dir::Etc::sourceparts=-',
    'Dir::Etc::preferencesparts=-',
    `Dir::State::lists=${folder}/lists`,
    `Dir::State::status=${folder}/status`,
    `Dir::Cache=${folder}/cache`,
    'APT::Sandbox::User=root',
    'APT::Architecture=amd64',
    'Acquire::Languages=none',
    'Acquire::Check-Valid-Until=false',
  ].flatMap((option) => ['-o', option]);
  return (program, ...args) => run(program, [...options, '-q', ...args], { cwd: folder });
}

/** Removes `folder` and returns an apt for the suite, in an empty folder next to it. */
function startDownload(version, suite, folder) {
  console.error(`vm: downloading kernel ${version} of Debian ${suite} (once, into .cache/kernels)`);
  const work = `${folder}.part`;
  rmSync(work, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const apt = privateApt(work, suite);
  apt('apt-get', 'update');
  const depends = (name) => apt('apt-cache', 'depends', '--important', name);
  const unpack = (name) => {
    apt('apt-get', 'download', name);
    const file = readdirSync(work).find((each) => each.startsWith(`${name}_`));
    run('dpkg-deb', ['-x', join(work, file), join(work, 'files')]);
  };
  return { work, depends, unpack };
}

/**
 * Downloads the newest kernel. Its image is in the package linux-binary-VERSION, which linux-image-VERSION depends on.
 */
function downloadNewest(folder) {
  const { work, depends, unpack } = startDownload('newest', newestSuite, folder);
  const image = /Depends: (linux-image-\d\S+)/.exec(depends('linux-image-amd64'))?.[1];
  const name = image && /Depends: (linux-binary-\d\S+)/.exec(depends(image))?.[1];
  if (!name) throw new Error(`kernel download: Debian ${newestSuite} has no kernel image`);
  unpack(name);
  mkdirSync(join(work, 'kernel'));
  const release = name.replace('linux-binary-', '');
  renameSync(join(work, 'files/usr/lib/modules', release, 'vmlinuz'), join(work, 'kernel/vmlinuz'));
  renameSync(join(work, 'kernel'), folder);
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
  renameSync(join(work, 'kernel'), folder);
  rmSync(work, { recursive: true });
}
