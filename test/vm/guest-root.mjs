// Describes the root of the guest for init.sh: the files that are copied (in archives, because many small files are
// slow to read through virtiofs), and the files that are bind-mounted from the host.
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders that are new and empty in the guest. */
const fresh = ['proc', 'sys', 'dev', 'run', 'tmp', 'root', 'mnt', 'srv', 'media', '.old'];
/** Folders below /usr/local with writable copies. Larger files are bind-mounted. */
const local = ['bin', 'sbin'];
const copiedBytes = 1_000_000;

/** Writes root.tar, local.tar and fstab into `folder`. The folders in `needed` have the same paths in the guest. */
export function describeRoot(folder, needed) {
  const staging = join(folder, 'staging');
  const mounts = ['tmp tmp tmpfs mode=1777'];
  const copied = ['etc'];
  const make = (path) => mkdirSync(join(staging, path), { recursive: true });
  fresh.forEach(make);
  for (const name of readdirSync('/')) {
    const stat = lstatSync(join('/', name));
    if (stat.isSymbolicLink()) copied.push(name);
    if (!stat.isDirectory() || [...fresh, 'etc', 'lost+found'].includes(name)) continue;
    make(name);
    mounts.push(bindMount(`/${name}`));
  }
  mounts.push('vartmp var/tmp tmpfs mode=1777');
  const isBelow = (names) => (path) => names.some((name) => path.startsWith(`/${name}/`));
  for (const path of needed.filter(isBelow([...fresh, 'var/tmp']))) {
    if (!isBelow(['tmp', 'var/tmp'])(path)) make(path);
    mounts.push(bindMount(path));
  }
  const small = local.flatMap((name) => describeWritable(name, mounts));
  tar(join(folder, 'root.tar'), ['-C', '/', ...copied, '-C', staging, ...readdirSync(staging)]);
  tar(join(folder, 'local.tar'), ['-C', '/usr/local', ...small]);
  writeFileSync(join(folder, 'fstab'), mounts.join('\n') + '\n');
  rmSync(staging, { recursive: true });
}

// X-mount.mkdir makes the mount point, because the tmpfs is empty when it is mounted.
const bindMount = (path) => `${path} ${path.slice(1)} none bind,X-mount.mkdir`;

function describeWritable(name, mounts) {
  const folder = join('/usr/local', name);
  mounts.push(`local usr/local/${name} tmpfs mode=755`);
  const small = [];
  for (const file of readdirSync(folder)) {
    const path = join(folder, file);
    const stat = lstatSync(path);
    if (stat.isSymbolicLink() || (stat.isFile() && stat.size < copiedBytes)) small.push(join(name, file));
    else mounts.push(`${path} usr/local/${name}/${file} none bind,X-mount.mkdir`);
  }
  return small;
}

function tar(file, args) {
  execFileSync('tar', ['-cf', file, ...(args.length > 2 ? args : ['-T', '/dev/null'])], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
