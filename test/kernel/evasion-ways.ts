/**
 * Ways to reach a file, and what two policies report about each: our example, and the published policy for file
 * monitoring. evasion.c performs them. Each way has files of its own, so its events can be told apart.
 */
import { kernel } from './support.js';

export interface Way {
  readonly title: string;
  /** An action of evasion.c and its arguments. */
  readonly action: readonly (string | number)[];
  /** The lines of both policies: the label of the compact output and its detail. If empty, nothing is reported. */
  readonly example: readonly string[];
  readonly upstream: readonly string[];
  /** If set, the way exists only on these kernels. */
  readonly kernels?: readonly string[];
}

export const FOLDER = '/srv/evasion';
export const EMPTY = `${FOLDER}/empty`;
export const TARGET = `${FOLDER}/target`;
export const FAKE = `${FOLDER}/fake`;
/** A folder with a key, as people have it at home. The published policy does not name such keys. */
export const HOME_KEYS = `${FOLDER}/home/.ssh`;
/** Levels with names of 250 bytes: together 7,000 bytes. */
const LEVELS = 28;
const LONG_NAME = 'n'.repeat(250);

/** Files that the test creates: secrets, whose reads both policies report, and others. */
export const SECRETS: string[] = [];
export const SYSTEM_FILES: string[] = [];

function secret(name: string): string {
  const path = `/etc/shadow-${name}`;
  if (!SECRETS.includes(path)) SECRETS.push(path);
  return path;
}

function systemFile(name: string): string {
  const path = `/etc/evasion-${name}`;
  if (!SYSTEM_FILES.includes(path)) SYSTEM_FILES.push(path);
  return path;
}

const [READ, WRITE, SHARED, PRIVATE] = [1, 2, 1, 2];
const beside = (name: string): string => `${FOLDER}/${name}`;
const same = (...lines: readonly string[]): Pick<Way, 'example' | 'upstream'> => ({ example: lines, upstream: lines });
const onlyExample = (...lines: readonly string[]): Pick<Way, 'example' | 'upstream'> => ({
  example: lines,
  upstream: [],
});
const NOBODY: Pick<Way, 'example' | 'upstream'> = { example: [], upstream: [] };

/** A way with one file, which is read. */
function reads(title: string, name: string, ...more: readonly (string | number)[]): Way {
  return { title, action: [name, secret(name), ...more], ...same(`read ${secret(name)}`) };
}

/** A way with one file, which is written. */
function writes(title: string, name: string, ...more: readonly (string | number)[]): Way {
  return { title, action: [name, systemFile(name), ...more], ...same(`write ${systemFile(name)}`) };
}

const CALLS: readonly Way[] = [
  reads('read', 'read'),
  reads('pread64', 'pread'),
  reads('readv', 'readv'),
  reads('preadv', 'preadv'),
  reads('preadv2', 'preadv2'),
  reads('sendfile from it', 'sendfile', FAKE),
  reads('copy_file_range from it', 'copy', FAKE),
  reads('splice into a pipe', 'splice'),
  reads('io_uring read', 'uringread'),
  reads('open_by_handle_at', 'handle'),
  reads('O_PATH, reopened in /proc/self/fd', 'reopen'),
  reads('a descriptor inherited by another program', 'inherit'),
  reads('a descriptor passed by a local socket', 'pass'),
  reads('a descriptor taken by pidfd_getfd', 'take'),
  reads('execve of it', 'execute'),
  reads('finit_module of it', 'module'),
  {
    title: 'by /proc/PID/root',
    action: ['read', `/proc/1/root${secret('root')}`],
    ...same(`read ${secret('root')}`),
  },
  writes('write', 'write'),
  writes('pwrite64', 'pwrite'),
  writes('writev', 'writev'),
  writes('pwritev2', 'pwritev2'),
  writes('splice from a pipe', 'spliceto'),
  writes('vmsplice, then splice', 'vmsplice'),
  writes('io_uring write', 'uringwrite'),
  writes('fallocate: a hole', 'fallocate'),
  {
    title: 'sendfile to it',
    action: ['sendfile', FAKE, systemFile('sendfile')],
    ...same(`write ${systemFile('sendfile')}`),
  },
  {
    title: 'copy_file_range to it',
    action: ['copy', FAKE, systemFile('copy')],
    ...same(`write ${systemFile('copy')}`),
  },
];

/** The published policy has no hook on the function that Linux 6.2 brought for files that are open. */
const truncationOf = (path: string): Pick<Way, 'example' | 'upstream'> =>
  kernel === '6.1' ? same(`truncate ${path}`) : onlyExample(`truncate ${path}`);

const TRUNCATIONS: readonly Way[] = [
  {
    title: 'truncate',
    action: ['truncate', systemFile('truncate')],
    ...same(`truncate ${systemFile('truncate')}`),
  },
  { title: 'ftruncate', action: ['ftruncate', systemFile('ftruncate')], ...truncationOf(systemFile('ftruncate')) },
  { title: 'open with O_TRUNC', action: ['otrunc', systemFile('otrunc')], ...truncationOf(systemFile('otrunc')) },
];

const MAPPINGS: readonly Way[] = [
  {
    title: 'mmap, shared, read',
    action: ['map', secret('shared'), READ, SHARED, READ],
    ...same(`mmap-r ${secret('shared')}`),
  },
  {
    title: 'mmap, private, read',
    action: ['map', secret('private'), READ, PRIVATE, READ],
    ...onlyExample(`mmap-r ${secret('private')}`),
  },
  {
    title: 'mmap without a right, then mprotect to read',
    action: ['map', secret('protect'), 0, PRIVATE, READ],
    ...onlyExample(`mmap- ${secret('protect')}`),
  },
  {
    title: 'mmap, shared, write',
    action: ['map', systemFile('shared'), READ | WRITE, SHARED, READ | WRITE],
    ...same(`mmap-rw ${systemFile('shared')}`),
  },
  {
    title: 'mmap, shared, read, then mprotect to write',
    action: ['map', systemFile('protect'), READ, SHARED, READ | WRITE],
    ...onlyExample(`mprotect-rw ${systemFile('protect')}`),
  },
  {
    title: 'mmap, private, written: the file stays as it is',
    action: ['map', systemFile('private'), READ | WRITE, PRIVATE, READ | WRITE],
    ...NOBODY,
  },
];

const NAMES: readonly Way[] = [
  {
    title: 'a symbolic link to it',
    action: ['read', beside('symlink')],
    ...same(`read ${secret('symlink')}`),
  },
  {
    title: 'a hard link, read',
    action: ['link', secret('link'), beside('link'), 'read'],
    ...onlyExample(`link ${secret('link')} -> ${beside('link')}`),
  },
  {
    title: 'a hard link, written',
    action: ['link', systemFile('link'), beside('linked'), 'write'],
    ...onlyExample(`link ${systemFile('link')} -> ${beside('linked')}`),
  },
  {
    title: 'renamed, then read',
    action: ['rename', secret('renamed'), beside('renamed'), beside('renamed')],
    ...onlyExample(`rename ${secret('renamed')} -> ${beside('renamed')}`),
  },
  {
    title: 'another file renamed over it',
    action: ['rename', beside('over'), systemFile('over'), FAKE],
    ...onlyExample(`rename ${beside('over')} -> ${systemFile('over')}`),
  },
  {
    title: 'its folder renamed',
    action: ['rename', HOME_KEYS, beside('keys'), beside('keys/id_rsa')],
    ...onlyExample(`rename ${HOME_KEYS} -> ${beside('keys')}`),
  },
  {
    title: 'exchanged by RENAME_EXCHANGE',
    action: ['exchange', secret('exchange'), beside('exchange')],
    ...onlyExample(`rename ${secret('exchange')} -> ${beside('exchange')}`),
  },
  {
    title: 'read while it is exchanged in a loop',
    action: ['race', secret('race'), beside('race')],
    example: [`read ${secret('race')}`, `rename ${secret('race')} -> ${beside('race')}`],
    upstream: [`read ${secret('race')}`],
  },
  {
    title: 'an unnamed file gets a name beside it (linkat)',
    action: ['unnamed', FOLDER, '/etc/evasion-unnamed'],
    ...onlyExample(`link ${FOLDER}/#N (deleted) -> /etc/evasion-unnamed`),
  },
  {
    title: 'unlinked while it is open',
    action: ['unlinked', secret('unlinked')],
    ...same(`read ${secret('unlinked')} (deleted)`),
  },
  {
    title: 'a name of 255 bytes',
    action: ['read', secret('n'.repeat(248))],
    ...same(`read ${secret('n'.repeat(248))}`),
  },
  {
    title: 'a path of 7,000 bytes',
    action: ['deep', '/root/.ssh', LONG_NAME, LEVELS, 'file'],
    ...same('read (long) (truncated)', 'write (long) (truncated)'),
  },
  {
    title: 'a name with a line break',
    action: ['read', secret('line\\n')],
    ...same(`read "${secret('line\\n')}"`),
  },
  {
    title: 'a name that is not UTF-8: the event keeps the byte',
    action: ['read', secret('byte\\xff')],
    ...same('read "/etc/shadow-byte\\udcff"'),
  },
];

const ROOTS: readonly Way[] = [
  {
    title: 'a bind mount of it',
    action: ['bind', secret('bind'), FAKE, FAKE],
    ...onlyExample(`bind ${secret('bind')}`),
  },
  {
    title: 'a bind mount of its folder',
    action: ['bind', '/etc', TARGET, `${TARGET}/shadow-folder`],
    ...onlyExample('bind /etc'),
  },
  {
    title: 'a copy of its mount that is nowhere (open_tree)',
    action: ['tree', '/etc', 'shadow-folder'],
    ...onlyExample('bind /etc'),
  },
  {
    title: 'open_tree and move_mount of its folder',
    action: ['move', '/etc', TARGET, `${TARGET}/shadow-folder`],
    ...onlyExample('bind /etc'),
  },
  {
    title: 'another file mounted over it',
    action: ['bind', FAKE, systemFile('covered'), FAKE],
    ...onlyExample(`mount ${FAKE.slice(1)} ${systemFile('covered')}`),
  },
  {
    title: 'the same by move_mount',
    action: ['move', FAKE, systemFile('moved'), FAKE],
    ...onlyExample(`move_mount / (unreachable) ${systemFile('moved')}`),
  },
  {
    title: 'an overlay of its folder',
    action: ['overlay', '/etc', EMPTY, TARGET, `${TARGET}/shadow-folder`],
    ...onlyExample('layer /etc'),
  },
  {
    title: 'chroot to its folder',
    action: ['chroot', '/etc', '/shadow-folder'],
    ...onlyExample('chroot /etc'),
  },
  {
    title: 'opened, then chroot to another folder',
    action: ['outside', EMPTY, secret('outside')],
    ...same(`read ${secret('outside')} (unreachable)`),
  },
  {
    title: 'pivot_root to its folder',
    action: ['pivot', '/etc', TARGET, '/shadow-folder'],
    ...onlyExample('bind /etc'),
  },
  {
    title: 'a bind mount in an own user namespace',
    action: ['user', 'bind', secret('own'), FAKE, FAKE],
    ...onlyExample(`bind ${secret('own')}`),
  },
  {
    title: 'chroot in an own user namespace',
    action: ['user', 'chroot', '/etc', '/shadow-own'],
    ...onlyExample('chroot /etc'),
  },
];

/** What cannot be seen, and why: examples/file-monitoring.yaml says the same. */
const COPIES: readonly Way[] = [
  { title: 'a memfd into which another process has copied it', action: ['memfd', secret('memfd')], ...NOBODY },
  { title: 'memory of another process that has read it', action: ['memory', secret('memory')], ...NOBODY },
  {
    title: 'a loop device with it: a kernel thread reads',
    action: ['loop', secret('loop')],
    ...NOBODY,
    kernels: ['6.12'],
  },
];

export const WAYS: readonly Way[] = [...CALLS, ...TRUNCATIONS, ...MAPPINGS, ...NAMES, ...ROOTS, ...COPIES].filter(
  ({ kernels }) => kernels?.includes(kernel) ?? true,
);
