/** Filters on strings, buffers and paths. They compare bytes, as bpf/strings.bpf.h does. */
import type { FileArgument } from '../../types/events.js';
import type { StringTableKey } from '../compiled/compiled-hook.js';
import type { SubstringScan, StringTable, CompiledValue } from '../compiled/compiled-policy.js';
import { FILE_TYPES } from '../names/kernel.js';
import { selectorMask, encodeUtf8 } from '../wire/encode/tables.js';
import { maxStringBytes } from '../wire/encode/objects.js';
import { encodeString } from '../wire/surrogate-escape.js';
import type { Candidates } from './candidates.js';
import type { ArgumentComparedAs } from './comparison-kinds.js';
import { applyEntry, applyGroup, findLongestEntry } from './tables.js';

/** The part of a value that is compared. */
export interface ComparedBytes {
  readonly bytes: Buffer;
  /** The value has more bytes before these, because only the end of a long path is recorded. */
  readonly cutStart: boolean;
  /** The value has more bytes after these. */
  readonly cutEnd: boolean;
  /** A value that may be in the part that was cut from the end matches. */
  readonly cutUnknown: boolean;
  /** The value is a file. Filters with `inode: true` compare its inode as well. */
  readonly isFile: boolean;
}

export interface StringComparison {
  readonly compiled: CompiledValue;
  readonly compared: ComparedBytes;
  /** The name of the value in uncertainties. */
  readonly about: string;
  /** Selectors that only suppress events. A value that is not known does not match them. */
  readonly suppresses: bigint;
}

const TABLE_FILTERS: Readonly<Record<StringTableKey, (candidates: Candidates, comparison: StringComparison) => void>> =
  { equal: filterEqual, prefix: filterPrefix, postfix: filterPostfix };

export function filterString(candidates: Candidates, comparison: StringComparison): void {
  for (const filter of Object.values(TABLE_FILTERS)) filter(candidates, comparison);
  for (const scan of comparison.compiled.texts.substrings ?? []) filterSubstrings(candidates, scan, comparison);
}

/** Keys of the table are padded with zeros, so zeros at the end of a buffer are ignored. */
function filterEqual(candidates: Candidates, { compiled, compared, about }: StringComparison): void {
  const { equal: table, inode = [] } = compiled.texts;
  if (table === undefined || !candidates.hasPossible(selectorMask(table.used))) return;
  const { bytes, cutStart, cutEnd } = compared;
  const { longest, byBytes } = indexTable(table);
  const isWhole = !cutStart && !cutEnd && bytes.length <= longest;
  const found = isWhole ? byBytes.get(paddedKey(bytes)) : undefined;
  const byFile = compared.isFile ? selectorMask(inode) : 0n;
  if (byFile === 0n) return applyEntry(candidates, table, found);
  // A selector that also compares the file is decided only if the path alone decides it.
  const others = selectorMask(table.used) & ~byFile;
  const positive = selectorMask(table.positive);
  const match = selectorMask(found?.match ?? []);
  const reject = selectorMask(found?.reject ?? []);
  candidates.keep(((match | ~positive) & ~reject) | ~others);
  candidates.drop(byFile & reject);
  const decided = (match | ~positive) & ~rejectingSelectors(table);
  candidates.addUncertainty(byFile & selectorMask(table.used) & ~decided, 'FILE_IDENTITY', about);
}

function rejectingSelectors({ entries }: StringTable): bigint {
  return entries.reduce((bits, { reject }) => bits | selectorMask(reject), 0n);
}

/** A table has thousands of values, and a recording has millions of calls: the values are encoded once. */
interface TableIndex {
  readonly longest: number;
  readonly encoded: ReadonlyMap<string, Uint8Array>;
  readonly byBytes: ReadonlyMap<string, StringTable['entries'][number]>;
}

const indexes = new WeakMap<StringTable, TableIndex>();

function indexTable(table: StringTable): TableIndex {
  let index = indexes.get(table);
  if (index === undefined) {
    const encoded = new Map(table.entries.map(({ value }) => [value, encodeUtf8(value)]));
    const keyed = table.entries.map((entry) => [paddedKey(encoded.get(entry.value) as Uint8Array), entry] as const);
    // of values that differ in zeros at their ends, the first one counts
    index = { longest: maxStringBytes(table), encoded, byBytes: new Map(keyed.reverse()) };
    indexes.set(table, index);
  }
  return index;
}

/** A key of the bytes without the zeros at their end. */
function paddedKey(bytes: Uint8Array): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1');
}

function filterPrefix(candidates: Candidates, { compiled, compared, about }: StringComparison): void {
  const { prefix: table } = compiled.texts;
  if (table === undefined || !candidates.hasPossible(selectorMask(table.used))) return;
  // The kernel finds the beginning of a long path, but the event has only its end.
  if (compared.cutStart) return candidates.addUncertainty(selectorMask(table.used), 'VALUE_INCOMPLETE', about);
  applyEntry(
    candidates,
    table,
    findLongestString(table, (value) => hasPrefix(compared.bytes, value)),
  );
}

function filterPostfix(candidates: Candidates, { compiled, compared, suppresses }: StringComparison): void {
  const { postfix: table } = compiled.texts;
  if (table === undefined || !candidates.hasPossible(selectorMask(table.used))) return;
  if (compared.cutEnd && compared.cutUnknown) return candidates.drop(suppresses & selectorMask(table.used));
  const { bytes, cutEnd } = compared;
  const isSuffix = (value: Uint8Array): boolean =>
    value.length <= bytes.length && bytes.subarray(bytes.length - value.length).equals(value);
  applyEntry(candidates, table, cutEnd ? undefined : findLongestString(table, isSuffix));
}

function findLongestString(
  table: StringTable,
  fits: (value: Uint8Array) => boolean,
): StringTable['entries'][number] | undefined {
  const { encoded } = indexTable(table);
  const bytes = (value: string): Uint8Array => encoded.get(value) ?? encodeUtf8(value);
  return findLongestEntry(
    table,
    (value) => bytes(value).length,
    (value) => fits(bytes(value)),
  );
}

export function hasPrefix(bytes: Buffer, value: Uint8Array): boolean {
  return bytes.subarray(0, value.length).equals(value);
}

function filterSubstrings(
  candidates: Candidates,
  { ignoreCase, selectors, needles }: SubstringScan,
  { compared, suppresses }: StringComparison,
): void {
  const text = ignoreCase ? toLowerAscii(compared.bytes) : compared.bytes;
  const hits = needles
    .filter((needle) => text.includes(Buffer.from(encodeUtf8(needle.text))))
    .reduce((bits, needle) => bits | selectorMask(needle.selectors), 0n);
  // The needle may be in the part that was cut.
  const mayBeCut = compared.cutStart || (compared.cutEnd && compared.cutUnknown);
  candidates.keep(hits | ~selectorMask(selectors) | (mayBeCut ? ~suppresses : 0n));
}

/** Converts only ASCII letters, as the BPF programs do. */
function toLowerAscii(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)));
}

/** Compares the type bits of the file's mode; 0 if there is no file. */
export function filterFileType(candidates: Candidates, compiled: CompiledValue, { permission }: FileArgument): void {
  const letter = permission[0];
  const name = letter === undefined ? undefined : FILE_TYPE_NAMES[letter];
  for (const group of compiled.ints)
    applyGroup(candidates, group, name === undefined ? 0n : BigInt(FILE_TYPES[name] ?? 0));
}

const FILE_TYPE_NAMES: Readonly<Record<string, string>> = {
  p: 'fifo',
  c: 'char',
  d: 'dir',
  b: 'block',
  '-': 'reg',
  l: 'link',
  s: 'sock',
};

/** False for pipes, sockets and other files without a place in a tree, and if there is no file. */
export function hasPath({ flags }: FileArgument): boolean {
  return !flags.includes('pseudo') && !flags.includes('fault');
}

/**
 * The path that the kernel compares; undefined if the event does not have it. An event has files without a path in the form
 * of /proc/PID/fd.
 */
function comparedPath({ path, flags }: FileArgument): Buffer | undefined {
  if (!flags.includes('pseudo')) return encodeString(path);
  if (/^(pipe|ns):\[/.test(path) || path.startsWith('socket:[')) return undefined;
  return encodeString(path.replace(/^(anon_inode:|\/)/, ''));
}

/** All bytes of a string, or those of the path that the kernel compares; undefined if the event does not have it. */
export function argumentBytes(argument: ArgumentComparedAs<'string' | 'path'>): Buffer | undefined {
  if ('path' in argument) return comparedPath(argument);
  const { value } = argument;
  return typeof value === 'string' ? encodeString(value) : Buffer.from(value);
}
