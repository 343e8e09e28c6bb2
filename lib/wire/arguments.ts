/** Decodes the values of a hook's record into typed arguments. */
import type { HookArgument, PathFlag } from '../../types/events.js';
import type { ArgImage } from '../policy/image.js';
import { ArgValue, EventHook, TextFlag } from './layout.gen.js';
import type { Slab } from './slab.js';

/** Magic numbers of linux/magic.h: file systems whose files have no path. */
const PIPEFS_MAGIC = 0x50495045;
const SOCKFS_MAGIC = 0x534f434b;
const ANON_INODE_FS_MAGIC = 0x09041934;
const NSFS_MAGIC = 0x6e736673;

const PATH_FLAGS: readonly (readonly [number, PathFlag])[] = [
  [TextFlag.TEXT_TRUNCATED, 'truncated'],
  [TextFlag.TEXT_DELETED, 'deleted'],
  [TextFlag.TEXT_UNREACHABLE, 'unreachable'],
  [TextFlag.TEXT_PSEUDO, 'pseudo'],
  [TextFlag.TEXT_FAULT, 'fault'],
];

/** `record` is where the record starts, `size` its length; `slot` the argument's place in the policy. */
export function decodeArgument(slab: Slab, record: number, size: number, slot: number, arg: ArgImage): HookArgument {
  const at = record + EventHook.sizeof + slot * ArgValue.sizeof;
  const common = arg.label === undefined ? { index: arg.index } : { index: arg.index, label: arg.label };
  switch (arg.type) {
    case 'string':
    case 'filename': {
      const flags = slab.u16(at + ArgValue.textFlags);
      const value = textOf(slab, record, size, at);
      const truncated = (flags & TextFlag.TEXT_TRUNCATED) !== 0;
      const unreadable = (flags & TextFlag.TEXT_FAULT) !== 0 ? { unreadable: true as const } : {};
      return { type: arg.type, ...common, value, truncated, ...unreadable };
    }
    case 'file':
    case 'path':
    case 'fd': {
      const file = {
        type: arg.type,
        ...common,
        path: pathOf(slab, record, size, at),
        flags: pathFlags(slab.u16(at + ArgValue.textFlags)),
        permission: formatMode(slab.u32(at + ArgValue.mode)),
        inode: slab.u64(at + ArgValue.value),
      };
      return arg.type === 'fd' ? { ...file, fd: slab.i32(at + ArgValue.fd) } : file;
    }
    default:
      return decodeInteger(slab, at + ArgValue.value, arg);
  }
}

/** An integer of 64 bits at `at`: an argument's, or the return value. */
export function decodeInteger(slab: Slab, at: number, arg: ArgImage): HookArgument {
  const common = arg.label === undefined ? { index: arg.index } : { index: arg.index, label: arg.label };
  switch (arg.type) {
    case 'int':
      return { type: 'int', ...common, value: slab.i32(at) };
    case 'uint32':
      return { type: 'uint32', ...common, value: slab.u32(at) };
    default:
      return { type: 'size_t', ...common, value: slab.u64(at) };
  }
}

function textOf(slab: Slab, record: number, size: number, at: number): string {
  const offset = slab.u32(at + ArgValue.textOffset);
  const length = slab.u16(at + ArgValue.textLength);
  return offset + length <= size ? slab.text(record + offset, length) : '';
}

function pathOf(slab: Slab, record: number, size: number, at: number): string {
  const text = textOf(slab, record, size, at);
  if ((slab.u16(at + ArgValue.textFlags) & TextFlag.TEXT_PSEUDO) === 0) return text;
  const inode = slab.u64(at + ArgValue.value);
  switch (slab.u32(at + ArgValue.magic)) {
    case PIPEFS_MAGIC:
      return `pipe:[${inode}]`;
    case SOCKFS_MAGIC:
      return `socket:[${inode}]`;
    case ANON_INODE_FS_MAGIC:
      return `anon_inode:${text}`;
    case NSFS_MAGIC:
      return `ns:[${inode}]`;
    default:
      return `/${text}`;
  }
}

function pathFlags(flags: number): readonly PathFlag[] {
  return flags === 0 ? [] : PATH_FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}

const FILE_TYPES: Readonly<Record<number, string>> = {
  0o010000: 'p',
  0o020000: 'c',
  0o040000: 'd',
  0o060000: 'b',
  0o100000: '-',
  0o120000: 'l',
  0o140000: 's',
};

/** A file's mode as `ls -l` shows it; '' for 0, which no file has. */
export function formatMode(mode: number): string {
  if (mode === 0) return '';
  const bits = (shift: number, special: boolean, letter: string): string => {
    const execute = (mode >> shift) & 1;
    const last = special ? (execute === 1 ? letter : letter.toUpperCase()) : execute === 1 ? 'x' : '-';
    return `${(mode >> shift) & 4 ? 'r' : '-'}${(mode >> shift) & 2 ? 'w' : '-'}${last}`;
  };
  return (
    (FILE_TYPES[mode & 0o170000] ?? '?') +
    bits(6, (mode & 0o4000) !== 0, 's') +
    bits(3, (mode & 0o2000) !== 0, 's') +
    bits(0, (mode & 0o1000) !== 0, 't')
  );
}
