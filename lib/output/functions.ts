/** Says how the compact output shows the kernel functions that it knows. A new function needs only a new row here. */
import type { FileArgument, LongNumberArgument } from '../../types/events.js';
import { bpfMap, bpfProgram, connection, file, isText, pathText, perfEvent, text, words, type Args } from './words.js';

export interface Look {
  readonly emoji: string;
  readonly label: string;
  /** The text after the process. It is already quoted and escaped. */
  readonly detail: string;
}

interface Row {
  readonly emoji: string;
  readonly label: string;
  readonly detail: (args: Args) => string;
}

/** The row of each function. The key is the function's name without its architecture prefix. */
const ROWS: Readonly<Record<string, Row>> = {
  sys_write: { emoji: '📝', label: 'write', detail: fileAndBytes },
  sys_read: { emoji: '📚', label: 'read', detail: fileAndBytes },
  fd_install: { emoji: '📬', label: 'open', detail: file },
  sys_open: { emoji: '📬', label: 'open', detail: file },
  sys_openat: { emoji: '📬', label: 'openat', detail: file },
  sys_close: { emoji: '📪', label: 'close', detail: file },
  sys_mount: { emoji: '💾', label: 'mount', detail: sourceAndDestination },
  sys_pivot_root: { emoji: '💾', label: 'pivot_root', detail: sourceAndDestination },
  sys_setuid: { emoji: '🔑', label: 'setuid', detail: userId },
  sys_clock_settime: { emoji: '⏰', label: 'clock_settime', detail: nothing },
  sys_setns: { emoji: '🔧', label: 'setns', detail: namespaceType },
  tcp_connect: { emoji: '🔌', label: 'connect', detail: connection },
  tcp_close: { emoji: '🧹', label: 'close', detail: connection },
  tcp_sendmsg: { emoji: '📤', label: 'sendmsg', detail: sentBytes },
  bpf_check: { emoji: '🐝', label: 'bpf_load', detail: bpfProgram },
  security_perf_event_alloc: { emoji: '🐝', label: 'perf_event_alloc', detail: perfEvent },
  security_bpf_map_alloc: { emoji: '🗺', label: 'bpf_map_create', detail: bpfMap },
  security_bpf_map_create: { emoji: '🗺', label: 'bpf_map_create', detail: bpfMap },
  security_path_truncate: { emoji: '📝', label: 'truncate', detail: file },
  security_file_truncate: { emoji: '📝', label: 'truncate', detail: file },
  security_path_rename: { emoji: '🔀', label: 'rename', detail: oldAndNewName },
  security_path_link: { emoji: '🔗', label: 'link', detail: fileAndLink },
  security_path_chroot: { emoji: '📂', label: 'chroot', detail: file },
  security_sb_mount: { emoji: '💾', label: 'mount', detail: sourceAndDestination },
  security_move_mount: { emoji: '💾', label: 'move_mount', detail: sourceAndDestination },
  __do_loopback: { emoji: '💾', label: 'bind', detail: file },
  clone_private_mount: { emoji: '💾', label: 'layer', detail: file },
};

/**
 * Functions whose arguments decide how they are shown. Undefined if the arguments are not those that the kernel has.
 */
const VARYING: Readonly<Record<string, (args: Args) => Pick<Look, 'emoji' | 'label'> | undefined>> = {
  security_file_permission: (args) => FILE_PERMISSIONS.get(numberAt(args, 1) ?? 0),
  security_mmap_file: (args) => ({ emoji: '📝', label: `mmap-${protection(numberAt(args, 1) ?? 0)}` }),
  security_file_mprotect: (args) => ({ emoji: '📝', label: `mprotect-${protection(numberAt(args, 2) ?? 0)}` }),
};

/** MAY_WRITE and MAY_READ of linux/fs.h. */
const FILE_PERMISSIONS = new Map([
  [2, { emoji: '📝', label: 'write' }],
  [4, { emoji: '📚', label: 'read' }],
]);

/** Undefined for a function without a row. */
export function lookOf(functionName: string, args: Args): Look | undefined {
  const look = looks.get(functionName) ?? learn(functionName);
  return look(args);
}

/** How each function is shown that had an event. */
const looks = new Map<string, (args: Args) => Look | undefined>();
/** The names are those of policies. A program that formats events of its own can have more. */
const LOOKS_MAX = 4096;

function learn(functionName: string): (args: Args) => Look | undefined {
  const look = makeLook(functionName);
  if (looks.size >= LOOKS_MAX) looks.clear();
  looks.set(functionName, look);
  return look;
}

function makeLook(functionName: string): (args: Args) => Look | undefined {
  const name = functionName.replace(SYSTEM_CALL_PREFIX, '');
  const varying = Object.hasOwn(VARYING, name) ? VARYING[name] : undefined;
  if (varying !== undefined) {
    return (args) => {
      const { emoji, label } = varying(args) ?? { emoji: '❓', label: name };
      return { emoji, label, detail: file(args) };
    };
  }
  const row = Object.hasOwn(ROWS, name) ? ROWS[name] : undefined;
  if (row === undefined) return () => undefined;
  return (args) => ({ emoji: row.emoji, label: row.label, detail: row.detail(args) });
}

/** True for a function that is the entry of a system call. */
export function isSystemCall(functionName: string): boolean {
  return SYSTEM_CALL_PREFIX.test(functionName);
}

const SYSTEM_CALL_PREFIX = /^__(?:x64|ia32|arm64)_/;

/** The short detail of a hook: the first path, text or system call that it read. */
export function firstText(args: Args): string {
  const call = args.find((a) => a.type === 'syscall64');
  return file(args) || (call?.name ?? call?.value.toString() ?? '');
}

function nothing(): string {
  return '';
}

function fileAndBytes(args: Args): string {
  return words(file(args), bytes(args));
}

function bytes(args: Args): string {
  const size = count(args);
  return size === undefined ? '' : `${size} bytes`;
}

/** Parameter 2, of any integer type: `count` of read and write, `size` of tcp_sendmsg. Otherwise the first size_t. */
function count(args: Args): bigint | number | undefined {
  return integerAt(args, 2) ?? args.find((a): a is LongNumberArgument => a.type === 'size_t')?.value;
}

function sentBytes(args: Args): string {
  const size = count(args);
  return words(connection(args), size === undefined ? '' : `bytes ${size}`);
}

function userId(args: Args): string {
  return String(numberAt(args, 0) ?? '');
}

function sourceAndDestination(args: Args): string {
  return words(
    ...args
      .filter(isText)
      .filter((a) => a.index < 2)
      .map(text),
  );
}

function oldAndNewName(args: Args): string {
  return fromTo(nameIn(args, 0, 1), nameIn(args, 2, 3));
}

function fileAndLink(args: Args): string {
  const linked = pathAt(args, 0);
  return fromTo(linked === undefined ? '' : text(linked), nameIn(args, 1, 2));
}

function fromTo(from: string, to: string): string {
  return to === '' ? from : words(from, '->', to);
}

/** A name in a folder. Its dentry has no mount, so its folder's path is better if the policy reads it. */
function nameIn(args: Args, folderIndex: number, nameIndex: number): string {
  const folder = pathAt(args, folderIndex);
  const entry = pathAt(args, nameIndex);
  if (folder === undefined || entry === undefined) return entry === undefined ? '' : text(entry);
  const last = entry.path.slice(entry.path.lastIndexOf('/'));
  return pathText(folder.path.replace(/\/$/, '') + last, folder.flags);
}

function pathAt(args: Args, index: number): FileArgument | undefined {
  return args.find((a): a is FileArgument => a.index === index && 'path' in a);
}

/** Bits of clone(2). If none is set, setns(2) accepts any namespace. */
const NAMESPACE_TYPES: readonly (readonly [bit: number, name: string])[] = [
  [0x00000080, 'time'],
  [0x00020000, 'mnt'],
  [0x02000000, 'cgroup'],
  [0x04000000, 'uts'],
  [0x08000000, 'ipc'],
  [0x10000000, 'user'],
  [0x20000000, 'pid'],
  [0x40000000, 'net'],
];

function namespaceType(args: Args): string {
  const bits = numberAt(args, 1);
  if (bits === undefined) return '';
  const names = NAMESPACE_TYPES.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? 'any' : names.join(',');
}

/** Shows the bits PROT_READ, PROT_WRITE and PROT_EXEC. */
function protection(bits: number): string {
  return `${bits & 1 ? 'r' : ''}${bits & 2 ? 'w' : ''}${bits & 4 ? 'x' : ''}`;
}

/** For flags and ids, which fit in 32 bits. */
function numberAt(args: Args, index: number): number | undefined {
  const value = integerAt(args, index);
  return value === undefined ? undefined : Number(value);
}

/** Finds an argument by the function's parameter number, so that its order in the policy does not matter. */
function integerAt(args: Args, index: number): bigint | number | undefined {
  for (const a of args) {
    if (a.index === index && 'value' in a) {
      return typeof a.value === 'bigint' || typeof a.value === 'number' ? a.value : undefined;
    }
  }
  return undefined;
}
