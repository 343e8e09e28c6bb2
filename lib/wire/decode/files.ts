/** Decodes the values of a hook that are files: path, mode, inode. */
import type { FileArgument, PathFlag } from '../../../types/events.js';
import { StringFlag, Value } from '../layout.gen.js';
import type { RecordChunk } from '../record-chunk.js';

/** Magic numbers (linux/magic.h) of file systems whose files have no path. */
const PIPEFS_MAGIC = 0x50495045;
const SOCKFS_MAGIC = 0x534f434b;
const ANON_INODE_FS_MAGIC = 0x09041934;
const NSFS_MAGIC = 0x6e736673;

const PATH_FLAGS: readonly (readonly [number, PathFlag])[] = [
  [StringFlag.STRING_TRUNCATED, 'truncated'],
  [StringFlag.STRING_DELETED, 'deleted'],
  [StringFlag.STRING_UNREACHABLE, 'unreachable'],
  [StringFlag.STRING_PSEUDO, 'pseudo'],
  [StringFlag.STRING_FAULT, 'fault'],
  [StringFlag.STRING_UNKNOWN, 'unknown'],
];

const NO_FLAGS: readonly PathFlag[] = Object.freeze([]);

/** The kernel's device numbers have 12 bits for the major and 20 for the minor number. */
const MINOR_BITS = 20;

/** `at` is the offset of the struct value, and `text` is the string that it refers to. */
export function decodeFile(
  chunk: RecordChunk,
  at: number,
  text: string,
  type: FileArgument['type'],
  index: number,
): FileArgument {
  const path = formatPath(chunk, at, text);
  const flags = pathFlags(chunk.u16(at + Value.stringFlags));
  const permission = formatMode(chunk.u32(at + Value.mode));
  const inode = chunk.u64(at + Value.value);
  const number = chunk.u32(at + Value.device);
  const device = { major: number >>> MINOR_BITS, minor: number & ((1 << MINOR_BITS) - 1) };
  const links = chunk.u32(at + Value.links);
  return type === 'fd'
    ? { type, index, path, flags, permission, inode, device, links, fd: chunk.i32(at + Value.fd) }
    : { type, index, path, flags, permission, inode, device, links };
}

function formatPath(chunk: RecordChunk, at: number, text: string): string {
  if ((chunk.u16(at + Value.stringFlags) & StringFlag.STRING_PSEUDO) === 0) return text;
  const inode = chunk.u64(at + Value.value);
  switch (chunk.u32(at + Value.magic)) {
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
  return flags === 0 ? NO_FLAGS : PATH_FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
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

/** Formatted modes. A mode has 16 bits, so their number is limited. */
const cachedModes = new Map<number, string>();
const MODES_CACHED = 1 << 16;

/** Formats the mode of a file as `ls -l` does; '' for 0, which no file has. */
export function formatMode(mode: number): string {
  const known = cachedModes.get(mode);
  if (known !== undefined) return known;
  const text = buildMode(mode);
  if (mode < MODES_CACHED) cachedModes.set(mode, text);
  return text;
}

function buildMode(mode: number): string {
  if (mode === 0) return '';
  const formatBits = (shift: number, special: boolean, letter: string): string => {
    const execute = (mode >> shift) & 1;
    const last = special ? (execute === 1 ? letter : letter.toUpperCase()) : execute === 1 ? 'x' : '-';
    return `${(mode >> shift) & 4 ? 'r' : '-'}${(mode >> shift) & 2 ? 'w' : '-'}${last}`;
  };
  return (
    (FILE_TYPES[mode & 0o170000] ?? '?') +
    formatBits(6, (mode & 0o4000) !== 0, 's') +
    formatBits(3, (mode & 0o2000) !== 0, 's') +
    formatBits(0, (mode & 0o1000) !== 0, 't')
  );
}
