/**
 * Techniques to reach a file, and what two policies report about each: our example, and the published policy for file
 * monitoring. evasion.c performs them. Each technique has files of its own, so its events can be recognised.
 */
import { kernel } from './support.js';

export interface Technique {
  readonly title: string;
  /** An action of evasion.c and its arguments. */
  readonly action: readonly (string | number)[];
  /** The lines of both policies: the label of the compact output and its detail. If empty, nothing is reported. */
  readonly example: readonly string[];
  readonly upstream: readonly string[];
  /** If set, the technique exists only on these kernels. */
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

/** Files that the test creates: secrets, whose reads both policies report, and system files. */
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
const besidePath = (name: string): string => `${FOLDER}/${name}`;
const bothReport = (...lines: readonly string[]): Pick<Technique, 'example' | 'upstream'> => ({
  example: lines,
  upstream: lines,
});
const exampleReports = (...lines: readonly string[]): Pick<Technique, 'example' | 'upstream'> => ({
  example: lines,
  upstream: [],
});
const NOTHING: Pick<Technique, 'example' | 'upstream'> = { example: [], upstream: [] };

/** A technique that reads one file. */
function readTechnique(title: string, name: string, ...more: readonly (string | number)[]): Technique {
  return { title, action: [name, secret(name), ...more], ...bothReport(`read ${secret(name)}`) };
}

/** A technique that writes one file. */
function writeTechnique(title: string, name: string, ...more: readonly (string | number)[]): Technique {
  return { title, action: [name, systemFile(name), ...more], ...bothReport(`write ${systemFile(name)}`) };
}

const CALLS: readonly Technique[] = [
  readTechnique('read', 'read'),
  readTechnique('pread64', 'pread'),
  readTechnique('readv', 'readv'),
  readTechnique('preadv', 'preadv'),
  readTechnique('preadv2', 'preadv2'),
  readTechnique('sendfile from it', 'sendfile', FAKE),
  readTechnique('copy_file_range from it', 'copy', FAKE),
  readTechnique('splice into a pipe', 'splice'),
  readTechnique('io_uring read', 'uringread'),
  readTechnique('open_by_handle_at', 'handle'),
  readTechnique('O_PATH, reopened in /proc/self/fd', 'reopen'),
  readTechnique('a descriptor inherited by another program', 'inherit'),
  readTechnique('a descriptor passed by a local socket', 'pass'),
  readTechnique('a descriptor taken by pidfd_getfd', 'take'),
  readTechnique('execve of it', 'execute'),
  readTechnique('finit_module of it', 'module'),
  {
    title: 'by /proc/PID/root',
    action: ['read', `/proc/1/root${secret('root')}`],
    ...bothReport(`read ${secret('root')}`),
  },
  writeTechnique('write', 'write'),
  writeTechnique('pwrite64', 'pwrite'),
  writeTechnique('writev', 'writev'),
  writeTechnique('pwritev2', 'pwritev2'),
  writeTechnique('splice from a pipe', 'spliceto'),
  writeTechnique('vmsplice, then splice', 'vmsplice'),
  writeTechnique('io_uring write', 'uringwrite'),
  writeTechnique('fallocate: a hole', 'fallocate'),
  {
    title: 'sendfile to it',
    action: ['sendfile', FAKE, systemFile('sendfile')],
    ...bothReport(`write ${systemFile('sendfile')}`),
  },
  {
    title: 'copy_file_range to it',
    action: ['copy', FAKE, systemFile('copy')],
    ...bothReport(`write ${systemFile('copy')}`),
  },
];

/** The published policy has no hook on the function that Linux 6.2 brought for files that are open. */
const truncationReports = (path: string): Pick<Technique, 'example' | 'upstream'> =>
  kernel === '6.1' ? bothReport(`truncate ${path}`) : exampleReports(`truncate ${path}`);

const TRUNCATIONS: readonly Technique[] = [
  {
    title: 'truncate',
    action: ['truncate', systemFile('truncate')],
    ...bothReport(`truncate ${systemFile('truncate')}`),
  },
  { title: 'ftruncate', action: ['ftruncate', systemFile('ftruncate')], ...truncationReports(systemFile('ftruncate')) },
  { title: 'open with O_TRUNC', action: ['otrunc', systemFile('otrunc')], ...truncationReports(systemFile('otrunc')) },
];

const MAPPINGS: readonly Technique[] = [
  {
    title: 'mmap, shared, read',
    action: ['map', secret('shared'), READ, SHARED, READ],
    ...bothReport(`mmap-r ${secret('shared')}`),
  },
  {
    title: 'mmap, private, read',
    action: ['map', secret('private'), READ, PRIVATE, READ],
    ...exampleReports(`mmap-r ${secret('private')}`),
  },
  {
    title: 'mmap without a right, then mprotect to read',
    action: ['map', secret('protect'), 0, PRIVATE, READ],
    ...exampleReports(`mmap- ${secret('protect')}`),
  },
  {
    title: 'mmap, shared, write',
    action: ['map', systemFile('shared'), READ | WRITE, SHARED, READ | WRITE],
    ...bothReport(`mmap-rw ${systemFile('shared')}`),
  },
  {
    title: 'mmap, shared, read, then mprotect to write',
    action: ['map', systemFile('protect'), READ, SHARED, READ | WRITE],
    ...exampleReports(`mprotect-rw ${systemFile('protect')}`),
  },
  {
    title: 'mmap, private, written: the file stays as it is',
    action: ['map', systemFile('private'), READ | WRITE, PRIVATE, READ | WRITE],
    ...NOTHING,
  },
];

const NAMES: readonly Technique[] = [
  {
    title: 'a symbolic link to it',
    action: ['read', besidePath('symlink')],
    ...bothReport(`read ${secret('symlink')}`),
  },
  {
    title: 'a hard link, read',
    action: ['link', secret('link'), besidePath('link'), 'read'],
    ...exampleReports(`link ${secret('link')} -> ${besidePath('link')}`),
  },
  {
    title: 'a hard link, written',
    action: ['link', systemFile('link'), besidePath('linked'), 'write'],
    ...exampleReports(`link ${systemFile('link')} -> ${besidePath('linked')}`),
  },
  {
    title: 'renamed, then read',
    action: ['rename', secret('renamed'), besidePath('renamed'), besidePath('renamed')],
    ...exampleReports(`rename ${secret('renamed')} -> ${besidePath('renamed')}`),
  },
  {
    title: 'another file renamed over it',
    action: ['rename', besidePath('over'), systemFile('over'), FAKE],
    ...exampleReports(`rename ${besidePath('over')} -> ${systemFile('over')}`),
  },
  {
    title: 'its folder renamed',
    action: ['rename', HOME_KEYS, besidePath('keys'), besidePath('keys/id_rsa')],
    ...exampleReports(`rename ${HOME_KEYS} -> ${besidePath('keys')}`),
  },
  {
    title: 'exchanged by RENAME_EXCHANGE',
    action: ['exchange', secret('exchange'), besidePath('exchange')],
    ...exampleReports(`rename ${secret('exchange')} -> ${besidePath('exchange')}`),
  },
  {
    title: 'read while it is exchanged in a loop',
    action: ['race', secret('race'), besidePath('race')],
    example: [`read ${secret('race')}`, `rename ${secret('race')} -> ${besidePath('race')}`],
    upstream: [`read ${secret('race')}`],
  },
  {
    title: 'an unnamed file gets a name beside it (linkat)',
    action: ['unnamed', FOLDER, '/etc/evasion-unnamed'],
    ...exampleReports(`link ${FOLDER}/#N (deleted) -> /etc/evasion-unnamed`),
  },
  {
    title: 'unlinked while it is open',
    action: ['unlinked', secret('unlinked')],
    ...bothReport(`read ${secret('unlinked')} (deleted)`),
  },
  {
    title: 'a name of 255 bytes',
    action: ['read', secret('n'.repeat(248))],
    ...bothReport(`read ${secret('n'.repeat(248))}`),
  },
  {
    title: 'a path of 7,000 bytes',
    action: ['deep', '/root/.ssh', LONG_NAME, LEVELS, 'file'],
    ...bothReport('read (long) (truncated)', 'write (long) (truncated)'),
  },
  {
    title: 'a name with a line break',
    action: ['read', secret('line\\n')],
    ...bothReport(`read "${secret('line\\n')}"`),
  },
  {
    title: 'a name that is not UTF-8: the event keeps the byte',
    action: ['read', secret('byte\\xff')],
    ...bothReport('read "/etc/shadow-byte\\udcff"'),
  },
];

const ROOTS: readonly Technique[] = [
  {
    title: 'a bind mount of it',
    action: ['bind', secret('bind'), FAKE, FAKE],
    ...exampleReports(`bind ${secret('bind')}`),
  },
  {
    title: 'a bind mount of its folder',
    action: ['bind', '/etc', TARGET, `${TARGET}/shadow-folder`],
    ...exampleReports('bind /etc'),
  },
  {
    title: 'a copy of its mount that is nowhere (open_tree)',
    action: ['tree', '/etc', 'shadow-folder'],
    ...exampleReports('bind /etc'),
  },
  {
    title: 'open_tree and move_mount of its folder',
    action: ['move', '/etc', TARGET, `${TARGET}/shadow-folder`],
    ...exampleReports('bind /etc'),
  },
  {
    title: 'another file mounted over it',
    action: ['bind', FAKE, systemFile('covered'), FAKE],
    ...exampleReports(`mount ${FAKE.slice(1)} ${systemFile('covered')}`),
  },
  {
    title: 'the same by move_mount',
    action: ['move', FAKE, systemFile('moved'), FAKE],
    ...exampleReports(`move_mount / (unreachable) ${systemFile('moved')}`),
  },
  {
    title: 'an overlay of its folder',
    action: ['overlay', '/etc', EMPTY, TARGET, `${TARGET}/shadow-folder`],
    ...exampleReports('layer /etc'),
  },
  {
    title: 'chroot to its folder',
    action: ['chroot', '/etc', '/shadow-folder'],
    ...exampleReports('chroot /etc'),
  },
  {
    title: 'opened, then chroot to another folder',
    action: ['outside', EMPTY, secret('outside')],
    ...bothReport(`read ${secret('outside')} (unreachable)`),
  },
  {
    title: 'pivot_root to its folder',
    action: ['pivot', '/etc', TARGET, '/shadow-folder'],
    ...exampleReports('bind /etc'),
  },
  {
    title: 'a bind mount in an own user namespace',
    action: ['user', 'bind', secret('own'), FAKE, FAKE],
    ...exampleReports(`bind ${secret('own')}`),
  },
  {
    title: 'chroot in an own user namespace',
    action: ['user', 'chroot', '/etc', '/shadow-own'],
    ...exampleReports('chroot /etc'),
  },
];

/** Techniques that are not seen. policies/file-monitoring.yaml lists them too. */
const COPIES: readonly Technique[] = [
  { title: 'a memfd into which another process has copied it', action: ['memfd', secret('memfd')], ...NOTHING },
  { title: 'memory of another process that has read it', action: ['memory', secret('memory')], ...NOTHING },
  {
    title: 'a loop device with it: a kernel thread reads',
    action: ['loop', secret('loop')],
    ...NOTHING,
    kernels: ['6.12'],
  },
];

export const TECHNIQUES: readonly Technique[] = [
  ...CALLS,
  ...TRUNCATIONS,
  ...MAPPINGS,
  ...NAMES,
  ...ROOTS,
  ...COPIES,
].filter(({ kernels }) => kernels?.includes(kernel) ?? true);
