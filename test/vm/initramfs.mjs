// Builds a small initramfs for kernels with virtiofs as a module. It loads the modules, mounts the root, and continues.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

// Tests use the overlay file system.
const modules = ['virtio_pci', 'virtiofs', 'overlay'];

const init = (names) => `#!/bin/busybox sh
set -e
/bin/busybox mount -t proc proc /proc
${names.map((name) => `/bin/busybox insmod /modules/${name}`).join('\n')}
/bin/busybox mount -t virtiofs -o ro rootfs /root
for word in $(/bin/busybox cat /proc/cmdline); do
  case $word in vm.init=*) init=\${word#vm.init=} ;; esac
done
/bin/busybox umount /proc
exec /bin/busybox switch_root /root "$init"
`;

/** Writes the initramfs to `target`. `files` is the folder of the unpacked kernel package. */
export function buildInitramfs(files, release, target) {
  const busybox = '/bin/busybox';
  if (!existsSync(busybox)) throw new Error('busybox is missing: install the Debian package busybox-static');
  const folder = join(files, 'lib/modules', release);
  const paths = loadOrder(files, folder, release);
  const archive = new CpioArchive();
  for (const name of ['bin', 'modules', 'proc', 'root', 'dev']) archive.add(name, 0o40755);
  archive.add('bin/busybox', 0o100755, readFileSync(busybox));
  for (const path of paths) archive.add(`modules/${basename(path)}`, 0o100644, readFileSync(join(folder, path)));
  archive.add('init', 0o100755, Buffer.from(init(paths.map((path) => basename(path)))));
  writeFileSync(target, archive.end());
}

/** Paths of the modules and their dependencies, in the order in which they must be loaded. */
function loadOrder(files, folder, release) {
  if (!readdirSync(folder).includes('modules.dep')) {
    try {
      execFileSync('depmod', ['-b', files, release], {
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
      });
    } catch (error) {
      if (error.code === 'ENOENT')
        throw new Error('depmod is missing: install the Debian package kmod', { cause: error });
      throw error;
    }
  }
  const needs = new Map();
  for (const line of readFileSync(join(folder, 'modules.dep'), 'utf8').split('\n').filter(Boolean)) {
    const [path, rest] = line.split(':');
    needs.set(path, rest.trim().split(' ').filter(Boolean).reverse());
  }
  const order = new Set();
  for (const name of modules) {
    const path = [...needs.keys()].find((each) => basename(each) === `${name}.ko`);
    if (!path) continue; // The module is built into the kernel.
    for (const each of [...needs.get(path), path]) order.add(each);
  }
  return [...order];
}

/** The archive in "newc" format that the kernel unpacks. */
class CpioArchive {
  #parts = [];
  #inode = 1;

  add(name, mode, content = Buffer.alloc(0)) {
    const fields = [this.#inode++, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
    const header = '070701' + fields.map((value) => value.toString(16).padStart(8, '0')).join('');
    this.#parts.push(padTo4(Buffer.from(`${header}${name}\0`)), padTo4(content));
  }

  end() {
    this.add('TRAILER!!!', 0);
    return Buffer.concat(this.#parts);
  }
}

function padTo4(buffer) {
  return Buffer.concat([buffer, Buffer.alloc((4 - (buffer.length % 4)) % 4)]);
}
