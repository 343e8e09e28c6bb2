/** Formats calls of known kernel functions for the compact output. A new function needs only a row in this file. */
import type { FileArgument, LongNumberArgument } from '../../types/events.js';
import {
  formatBpfMap,
  formatBpfProgram,
  formatConnection,
  formatFile,
  isFileOrString,
  formatPath,
  formatPerfEvent,
  formatFileOrString,
  joinNonEmpty,
  type Args,
} from './format-values.js';

export interface CallSummary {
  readonly emoji: string;
  readonly label: string;
  /** The part of the line after the process. It is already quoted and escaped. */
  readonly detail: string;
}

interface FunctionRow {
  readonly emoji: string;
  readonly label: string;
  readonly detail: (args: Args) => string;
}

/** The row of each function. The key is the function's name without its architecture prefix. */
const FUNCTION_ROWS = {
  sys_write: { emoji: '📝', label: 'write', detail: formatFileAndSize },
  sys_read: { emoji: '📚', label: 'read', detail: formatFileAndSize },
  fd_install: { emoji: '📬', label: 'open', detail: formatFile },
  sys_open: { emoji: '📬', label: 'open', detail: formatFile },
  sys_openat: { emoji: '📬', label: 'openat', detail: formatFile },
  sys_close: { emoji: '📪', label: 'close', detail: formatFile },
  sys_mount: { emoji: '💾', label: 'mount', detail: formatSourceAndDestination },
  sys_pivot_root: { emoji: '💾', label: 'pivot_root', detail: formatSourceAndDestination },
  sys_setuid: { emoji: '🔑', label: 'setuid', detail: formatUserId },
  sys_clock_settime: { emoji: '⏰', label: 'clock_settime', detail: formatNothing },
  sys_setns: { emoji: '🔧', label: 'setns', detail: formatNamespaceType },
  tcp_connect: { emoji: '🔌', label: 'connect', detail: formatConnection },
  tcp_close: { emoji: '🧹', label: 'close', detail: formatConnection },
  tcp_sendmsg: { emoji: '📤', label: 'sendmsg', detail: formatSentBytes },
  bpf_check: { emoji: '🐝', label: 'bpf_load', detail: formatBpfProgram },
  security_perf_event_alloc: { emoji: '🐝', label: 'perf_event_alloc', detail: formatPerfEvent },
  security_bpf_map_alloc: { emoji: '🗺', label: 'bpf_map_create', detail: formatBpfMap },
  security_bpf_map_create: { emoji: '🗺', label: 'bpf_map_create', detail: formatBpfMap },
  security_path_truncate: { emoji: '📝', label: 'truncate', detail: formatFile },
  security_file_truncate: { emoji: '📝', label: 'truncate', detail: formatFile },
  security_path_rename: { emoji: '🔀', label: 'rename', detail: formatRename },
  security_path_link: { emoji: '🔗', label: 'link', detail: formatLink },
  security_path_chroot: { emoji: '📂', label: 'chroot', detail: formatFile },
  security_sb_mount: { emoji: '💾', label: 'mount', detail: formatSourceAndDestination },
  security_move_mount: { emoji: '💾', label: 'move_mount', detail: formatSourceAndDestination },
  __do_loopback: { emoji: '💾', label: 'bind', detail: formatFile },
  clone_private_mount: { emoji: '💾', label: 'layer', detail: formatFile },
} satisfies Readonly<Record<string, FunctionRow>>;

/** Functions whose arguments determine emoji and label. Undefined if the arguments have an unknown value. */
const VARYING = {
  security_file_permission: (args) => FILE_PERMISSIONS.get(findNumber(args, 1) ?? 0),
  security_mmap_file: (args) => ({ emoji: '📝', label: `mmap-${formatProtection(findNumber(args, 1) ?? 0)}` }),
  security_file_mprotect: (args) => ({ emoji: '📝', label: `mprotect-${formatProtection(findNumber(args, 2) ?? 0)}` }),
} satisfies Readonly<Record<string, (args: Args) => Pick<CallSummary, 'emoji' | 'label'> | undefined>>;

/** True if the number of a parameter decides about the line, but is not in it. */
export function variesWithNumber(functionName: string): boolean {
  const name = functionName.replace(SYSTEM_CALL_PREFIX, '');
  return hasRow(VARYING, name) || name === ('sys_setns' satisfies KnownFunction);
}

/** A function that the compact output shows in its own way. Tests have a line of each. */
export type KnownFunction = keyof typeof FUNCTION_ROWS | keyof typeof VARYING;

/** MAY_WRITE and MAY_READ of linux/fs.h. */
const FILE_PERMISSIONS = new Map([
  [2, { emoji: '📝', label: 'write' }],
  [4, { emoji: '📚', label: 'read' }],
]);

/** Returns undefined for a function without a row. */
export function summarizeCall(functionName: string, args: Args): CallSummary | undefined {
  const summarize = summarizers.get(functionName) ?? cacheSummarizer(functionName);
  return summarize(args);
}

/** The summarizers of functions that had an event. */
const summarizers = new Map<string, (args: Args) => CallSummary | undefined>();
/** Policies have fewer functions. A program that formats events of its own can have more. */
const SUMMARIZERS_MAX = 4096;

function cacheSummarizer(functionName: string): (args: Args) => CallSummary | undefined {
  const summarize = createSummarizer(functionName);
  if (summarizers.size >= SUMMARIZERS_MAX) summarizers.clear();
  summarizers.set(functionName, summarize);
  return summarize;
}

function createSummarizer(functionName: string): (args: Args) => CallSummary | undefined {
  const name = functionName.replace(SYSTEM_CALL_PREFIX, '');
  if (hasRow(VARYING, name)) {
    const varying: (args: Args) => Pick<CallSummary, 'emoji' | 'label'> | undefined = VARYING[name];
    return (args) => {
      const { emoji, label } = varying(args) ?? { emoji: '❓', label: name };
      return { emoji, label, detail: formatFile(args) };
    };
  }
  if (!hasRow(FUNCTION_ROWS, name)) return () => undefined;
  const row: FunctionRow = FUNCTION_ROWS[name];
  return (args) => ({ emoji: row.emoji, label: row.label, detail: row.detail(args) });
}

function hasRow<T extends object>(rows: T, name: string): name is Extract<keyof T, string> {
  return Object.hasOwn(rows, name);
}

/** True for a function that is the entry of a system call. */
export function isSystemCall(functionName: string): boolean {
  return SYSTEM_CALL_PREFIX.test(functionName);
}

const SYSTEM_CALL_PREFIX = /^__(?:x64|ia32|arm64)_/;

/** Formats the first path, string or system call that a hook read. */
export function formatFirstValue(args: Args): string {
  const call = args.find((a) => a.type === 'syscall64');
  return formatFile(args) || (call?.name ?? call?.value.toString() ?? '');
}

function formatNothing(): string {
  return '';
}

function formatFileAndSize(args: Args): string {
  return joinNonEmpty(formatFile(args), formatSize(args));
}

function formatSize(args: Args): string {
  const size = byteCount(args);
  return size === undefined ? '' : `${size} bytes`;
}

/**
 * Returns parameter 2 of any integer type (`count` of read and write, `size` of tcp_sendmsg), or else the first size_t.
 */
function byteCount(args: Args): bigint | number | undefined {
  return findInteger(args, 2) ?? args.find((a): a is LongNumberArgument => a.type === 'size_t')?.value;
}

function formatSentBytes(args: Args): string {
  const size = byteCount(args);
  return joinNonEmpty(formatConnection(args), size === undefined ? '' : `bytes ${size}`);
}

function formatUserId(args: Args): string {
  return String(findNumber(args, 0) ?? '');
}

function formatSourceAndDestination(args: Args): string {
  return joinNonEmpty(
    ...args
      .filter(isFileOrString)
      .filter((a) => a.index < 2)
      .map(formatFileOrString),
  );
}

function formatRename(args: Args): string {
  return formatMove(formatNameInFolder(args, 0, 1), formatNameInFolder(args, 2, 3));
}

function formatLink(args: Args): string {
  const target = findPath(args, 0);
  return formatMove(target === undefined ? '' : formatFileOrString(target), formatNameInFolder(args, 1, 2));
}

function formatMove(from: string, to: string): string {
  return to === '' ? from : joinNonEmpty(from, '->', to);
}

/** Formats a name in a folder. Its dentry has no mount, so the folder's path is more precise if the policy reads it. */
function formatNameInFolder(args: Args, folderIndex: number, nameIndex: number): string {
  const folder = findPath(args, folderIndex);
  const entry = findPath(args, nameIndex);
  if (folder === undefined || entry === undefined) return entry === undefined ? '' : formatFileOrString(entry);
  const last = entry.path.slice(entry.path.lastIndexOf('/'));
  return formatPath(folder.path.replace(/\/$/, '') + last, folder.flags);
}

function findPath(args: Args, index: number): FileArgument | undefined {
  return args.find((a): a is FileArgument => a.index === index && 'path' in a);
}

/** The namespace bits of clone(2). If none is set, setns(2) accepts any namespace. */
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

function formatNamespaceType(args: Args): string {
  const bits = findNumber(args, 1);
  if (bits === undefined) return '';
  const names = NAMESPACE_TYPES.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? 'any' : names.join(',');
}

/** Formats the bits PROT_READ, PROT_WRITE and PROT_EXEC. */
function formatProtection(bits: number): string {
  return `${bits & 1 ? 'r' : ''}${bits & 2 ? 'w' : ''}${bits & 4 ? 'x' : ''}`;
}

/** Finds a flag word or an id, which fit in 32 bits. */
function findNumber(args: Args, index: number): number | undefined {
  const value = findInteger(args, index);
  return value === undefined ? undefined : Number(value);
}

/** Finds an argument by the function's parameter number, so that its order in the policy does not matter. */
function findInteger(args: Args, index: number): bigint | number | undefined {
  for (const a of args) {
    if (a.index === index && 'value' in a) {
      return typeof a.value === 'bigint' || typeof a.value === 'number' ? a.value : undefined;
    }
  }
  return undefined;
}
