/**
 * Reads the functions of a Go program from its table for tracebacks (pclntab). The Go runtime needs this table, so a stripped
 * program has it, too. Whoever made the file chose its content.
 */
import type { Steps } from '../cooperative.js';
import { readBoundedString, type View } from './elf-bytes.js';

/** Go 1.20 and later, Go 1.18, and Go 1.16. Earlier tables have another form. */
const OFFSET_MAGICS: readonly number[] = [0xfffffff1, 0xfffffff0];
const ADDRESS_MAGIC = 0xfffffffa;
const HEADER_BYTES = 8;
/** Maximum length of a name. A table with a longer name is damaged. */
const NAME_BYTES_MAX = 4096;
/** Functions between two yields. */
const FUNCTIONS_PER_SLICE = 500;

/** Where the parts of a table are, and the form of its entries. */
interface Layout {
  readonly count: number;
  /** Address of the first function; 0 if the entries have addresses themselves. */
  readonly start: bigint;
  readonly names: number;
  readonly functions: number;
  /** Number of bytes of an address or offset in an entry. */
  readonly width: 4 | 8;
}

/**
 * Returns the address of each function, or of each `wanted` one. Throws RangeError if the table is damaged. An unknown form
 * has no functions.
 */
export function* readGoFunctions(
  table: Buffer,
  view: View,
  wanted?: ReadonlySet<string>,
): Steps<ReadonlyMap<string, bigint>> {
  const functions = new Map<string, bigint>();
  const layout = readLayout(table, view);
  if (layout === undefined) return functions;
  const { count, start, names, functions: at, width } = layout;
  const read = (offset: number): number => (width === 4 ? view.u32(table, offset) : view.u64(table, offset));
  // in a damaged table, each name can extend to the end
  let left = 4 * table.length;
  for (let i = 0; i < count; i++) {
    if (i % FUNCTIONS_PER_SLICE === 0) yield;
    const entry = at + 2 * width * i;
    const address = start + BigInt(read(entry));
    const name = readBoundedString(table, names + view.u32(table, at + read(entry + width) + width), NAME_BYTES_MAX);
    left -= name.length;
    if (left < 0 || name.length >= NAME_BYTES_MAX) throw new RangeError('names without an end');
    if (name !== '' && wanted?.has(name) !== false && !functions.has(name)) functions.set(name, address);
  }
  return functions;
}

function readLayout(table: Buffer, view: View): Layout | undefined {
  const magic = view.u32(table, 0);
  // the bytes 6 and 7 are the smallest instruction and the size of an address
  if (table[4] !== 0 || table[5] !== 0 || table[7] !== 8) return undefined;
  const word = (i: number): number => view.u64(table, HEADER_BYTES + 8 * i);
  if (magic === ADDRESS_MAGIC) return { count: word(0), start: 0n, names: word(2), functions: word(6), width: 8 };
  if (!OFFSET_MAGICS.includes(magic)) return undefined;
  // a program whose linker left the address to the loader has 0
  const start = BigInt(word(2));
  return start === 0n ? undefined : { count: word(0), start, names: word(3), functions: word(7), width: 4 };
}
