/** How the compact output shows the kernel functions that it knows. A row slots in here; nothing else changes. */
import type { HookArgument } from '../../types/events.js';
import { quoteUnsafe } from './escape.js';

export interface Look {
  readonly emoji: string;
  readonly label: string;
  /** What follows the process, as shown: already quoted and escaped. */
  readonly detail: string;
}

type Args = readonly HookArgument[];

interface Row {
  readonly emoji: string;
  readonly label: string;
  readonly detail: (args: Args) => string;
}

/** By the function's name without its architecture prefix. */
const ROWS: Readonly<Record<string, Row>> = {
  sys_write: { emoji: '📝', label: 'write', detail: fileAndBytes },
  sys_read: { emoji: '📚', label: 'read', detail: fileAndBytes },
  fd_install: { emoji: '📬', label: 'open', detail: file },
  sys_open: { emoji: '📬', label: 'open', detail: file },
  sys_openat: { emoji: '📬', label: 'openat', detail: file },
  sys_close: { emoji: '📪', label: 'close', detail: file },
  sys_mount: { emoji: '💾', label: 'mount', detail: sourceAndDestination },
  sys_pivot_root: { emoji: '💾', label: 'pivot_root', detail: sourceAndDestination },
  sys_setuid: { emoji: '🔑', label: 'setuid', detail: (args) => String(numberAt(args, 0) ?? '') },
  sys_clock_settime: { emoji: '⏰', label: 'clock_settime', detail: nothing },
  sys_setns: { emoji: '🔧', label: 'setns', detail: namespaceType },
  tcp_connect: { emoji: '🔌', label: 'connect', detail: nothing },
  tcp_close: { emoji: '🧹', label: 'close', detail: nothing },
  tcp_sendmsg: { emoji: '📤', label: 'sendmsg', detail: bytes },
  bpf_check: { emoji: '🐝', label: 'bpf_load', detail: nothing },
  security_perf_event_alloc: { emoji: '🐝', label: 'perf_event_alloc', detail: nothing },
  security_bpf_map_alloc: { emoji: '🗺', label: 'bpf_map_create', detail: nothing },
  security_bpf_map_create: { emoji: '🗺', label: 'bpf_map_create', detail: nothing },
  security_path_truncate: { emoji: '📝', label: 'truncate', detail: file },
  security_file_truncate: { emoji: '📝', label: 'truncate', detail: file },
};

/** Functions whose arguments decide how they look; undefined where the arguments are not those that the kernel has. */
const VARYING: Readonly<Record<string, (args: Args) => Pick<Look, 'emoji' | 'label'> | undefined>> = {
  security_file_permission: (args) => FILE_PERMISSIONS.get(numberAt(args, 1) ?? 0),
  security_mmap_file: (args) => ({ emoji: '📝', label: `mmap-${protection(numberAt(args, 1) ?? 0)}` }),
};

/** MAY_WRITE and MAY_READ of linux/fs.h. */
const FILE_PERMISSIONS = new Map([
  [2, { emoji: '📝', label: 'write' }],
  [4, { emoji: '📚', label: 'read' }],
]);

export function lookOf(functionName: string, args: Args): Look {
  const name = functionName.replace(/^__(?:x64|ia32|arm64)_/, '');
  if (Object.hasOwn(VARYING, name)) {
    const look = VARYING[name]?.(args) ?? { emoji: '❓', label: name };
    return { ...look, detail: file(args) };
  }
  const row = Object.hasOwn(ROWS, name) ? ROWS[name] : undefined;
  if (row === undefined) return { emoji: '❓', label: 'syscall', detail: quoteUnsafe(name) };
  return { emoji: row.emoji, label: row.label, detail: row.detail(args) };
}

function nothing(): string {
  return '';
}

/** The first file, path or descriptor; where a policy reads none, the first string. */
function file(args: Args): string {
  const argument = args.find((a) => 'path' in a) ?? args.find((a) => a.type === 'filename' || a.type === 'string');
  return argument === undefined ? '' : text(argument);
}

function fileAndBytes(args: Args): string {
  return words(file(args), bytes(args));
}

/** The first size_t: `count` of read and write. */
function bytes(args: Args): string {
  const size = args.find((a) => a.type === 'size_t');
  return size === undefined ? '' : `${size.value} bytes`;
}

function sourceAndDestination(args: Args): string {
  return words(...args.filter((a) => a.index < 2).map(text));
}

/** Bits of clone(2); none of them: setns(2) takes any. */
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

/** PROT_READ, PROT_WRITE and PROT_EXEC. */
function protection(bits: number): string {
  return `${bits & 1 ? 'r' : ''}${bits & 2 ? 'w' : ''}${bits & 4 ? 'x' : ''}`;
}

/** The function's own parameter number, so that the order in the policy does not matter. */
function numberAt(args: Args, index: number): number | undefined {
  const argument = args.find((a) => a.index === index && (a.type === 'int' || a.type === 'uint32'));
  return argument === undefined ? undefined : Number((argument as { value: number }).value);
}

/** What a path may lack is said, so that no shortened path passes for a whole one. */
function text(argument: HookArgument): string {
  if ('path' in argument) {
    const notes = argument.flags.filter((flag) => flag !== 'pseudo').map((flag) => `(${flag})`);
    return words(argument.path === '' ? '' : quoteUnsafe(argument.path), ...notes);
  }
  if ('truncated' in argument) return quoteUnsafe(argument.value) + (argument.truncated ? ' (truncated)' : '');
  return String(argument.value);
}

function words(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}
