/** Filters on texts, buffers and paths, as bpf/texts.bpf.h applies them: on bytes. */
import type { FileArgument } from '../../types/events.js';
import type { SubstringScan, TextTable, CompiledValue } from '../compiled/compiled-policy.js';
import { FILE_TYPES } from '../names/kernel.js';
import { selectorMask, textBytes } from '../wire/encode/tables.js';
import { longest } from '../wire/encode/objects.js';
import { encodeText } from '../wire/text.js';
import type { Candidates } from './candidates.js';
import { applyEntry, applyGroup, longestEntry } from './tables.js';

/** The part of a value that is compared. */
export interface Compared {
  readonly bytes: Buffer;
  /** The value has bytes before these: of a long path, only the end is kept. */
  readonly cutStart: boolean;
  /** The value has bytes after these. */
  readonly cutEnd: boolean;
  /** Values that may be in the part that was cut from the end match. */
  readonly cutUnknown: boolean;
  /** The value is a file, which filters with `inode: true` compare as well. */
  readonly isFile: boolean;
}

export interface TextQuestion {
  readonly image: CompiledValue;
  readonly compared: Compared;
  /** The name of the value, for doubts. */
  readonly about: string;
  /** Selectors that only suppress events: what is not known does not match them. */
  readonly suppresses: bigint;
}

export function filterText(candidates: Candidates, question: TextQuestion): void {
  filterEqual(candidates, question);
  filterPrefix(candidates, question);
  filterPostfix(candidates, question);
  for (const scan of question.image.texts.substrings ?? []) filterSubstrings(candidates, scan, question);
}

/** A key of the table is padded with zeros, so zeros at the end of a buffer do not count. */
function filterEqual(candidates: Candidates, { image, compared, about }: TextQuestion): void {
  const { equal: table, inode = [] } = image.texts;
  if (table === undefined || !candidates.mayHave(selectorMask(table.used))) return;
  const { bytes, cutStart, cutEnd } = compared;
  const isWhole = !cutStart && !cutEnd && bytes.length <= longest(table);
  const found = isWhole ? table.entries.find(({ value }) => isPadded(bytes, textBytes(value))) : undefined;
  const byFile = compared.isFile ? selectorMask(inode) : 0n;
  if (byFile === 0n) return applyEntry(candidates, table, found);
  // A selector that also compares the file is decided only if the path alone decides it.
  const others = selectorMask(table.used) & ~byFile;
  const positive = selectorMask(table.positive);
  const match = selectorMask(found?.match ?? []);
  const reject = selectorMask(found?.reject ?? []);
  candidates.keep(((match | ~positive) & ~reject) | ~others);
  candidates.drop(byFile & reject);
  const decided = (match | ~positive) & ~negatedIn(table);
  candidates.doubt(byFile & selectorMask(table.used) & ~decided, 'FILE_IDENTITY', about);
}

function negatedIn({ entries }: TextTable): bigint {
  return entries.reduce((bits, { reject }) => bits | selectorMask(reject), 0n);
}

function isPadded(bytes: Uint8Array, value: Uint8Array): boolean {
  const size = Math.max(bytes.length, value.length);
  for (let at = 0; at < size; at++) if ((bytes[at] ?? 0) !== (value[at] ?? 0)) return false;
  return true;
}

function filterPrefix(candidates: Candidates, { image, compared, about }: TextQuestion): void {
  const { prefix: table } = image.texts;
  if (table === undefined || !candidates.mayHave(selectorMask(table.used))) return;
  // The kernel finds the beginning of a long path, but the event has only its end.
  if (compared.cutStart) return candidates.doubt(selectorMask(table.used), 'VALUE_INCOMPLETE', about);
  applyEntry(
    candidates,
    table,
    longestText(table, (value) => startsWith(compared.bytes, value)),
  );
}

function filterPostfix(candidates: Candidates, { image, compared, suppresses }: TextQuestion): void {
  const { postfix: table } = image.texts;
  if (table === undefined || !candidates.mayHave(selectorMask(table.used))) return;
  if (compared.cutEnd && compared.cutUnknown) return candidates.drop(suppresses & selectorMask(table.used));
  const { bytes, cutEnd } = compared;
  const ends = (value: Uint8Array): boolean =>
    value.length <= bytes.length && bytes.subarray(bytes.length - value.length).equals(value);
  applyEntry(candidates, table, cutEnd ? undefined : longestText(table, ends));
}

function longestText(table: TextTable, fits: (value: Uint8Array) => boolean): TextTable['entries'][number] | undefined {
  return longestEntry(table, (value) => textBytes(value).length, (value) => fits(textBytes(value))); // prettier-ignore
}

export function startsWith(bytes: Buffer, value: Uint8Array): boolean {
  return bytes.subarray(0, value.length).equals(value);
}

function filterSubstrings(
  candidates: Candidates,
  { ignoreCase, selectors, needles }: SubstringScan,
  { compared, suppresses }: TextQuestion,
): void {
  const text = ignoreCase ? lowerCase(compared.bytes) : compared.bytes;
  const hits = needles
    .filter((needle) => text.includes(Buffer.from(textBytes(needle.text))))
    .reduce((bits, needle) => bits | selectorMask(needle.selectors), 0n);
  // it may be in the part that is not there
  const mayBeCut = compared.cutStart || (compared.cutEnd && compared.cutUnknown);
  candidates.keep(hits | ~selectorMask(selectors) | (mayBeCut ? ~suppresses : 0n));
}

/** Only the letters of ASCII, as the kernel does it. */
function lowerCase(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)));
}

/** The type in the mode of a file, as the kernel compares it; 0 if there is no file. */
export function filterFileType(candidates: Candidates, image: CompiledValue, { permission }: FileArgument): void {
  const letter = permission[0];
  const name = letter === undefined ? undefined : TYPE_NAMES[letter];
  for (const group of image.ints)
    applyGroup(candidates, group, name === undefined ? 0n : BigInt(FILE_TYPES[name] ?? 0));
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  p: 'fifo',
  c: 'char',
  d: 'dir',
  b: 'block',
  '-': 'reg',
  l: 'link',
  s: 'sock',
};

/**
 * The name of a file that the kernel compares; undefined if the event does not have it. Files without a path are shown in the
 * form of /proc/PID/fd.
 */
export function comparedPath({ path, flags }: FileArgument): Buffer | undefined {
  if (!flags.includes('pseudo')) return encodeText(path);
  if (/^(pipe|ns):\[/.test(path) || path.startsWith('socket:[')) return undefined;
  return encodeText(path.replace(/^(anon_inode:|\/)/, ''));
}
