/**
 * Finds functions by their offset in an ELF file, for stack traces. A traced process chooses the file, so its content is not
 * trusted.
 */
import type { Steps } from '../cooperative.js';
import type { Segment } from './elf-info.js';
import {
  findBuildId,
  NOTES_BYTES_MAX,
  parseNotes,
  readElfParts,
  SHT_DYNSYM,
  SHT_NOTE,
  SHT_SYMTAB,
  STT_FUNC,
  nullIfDamaged,
  type ElfParts,
  type Note,
} from './elf.js';
import { readBoundedString } from './elf-bytes.js';
import type { FileBytes } from './file-bytes.js';

/** Maximum size of one section. Larger symbol tables are not read. */
const SECTION_BYTES_MAX = 32 * 1024 * 1024;
const SYMBOL_BYTES = 24;
/** Maximum number of names of one address that are compared, and maximum length of a reported name. */
const ALIASES_MAX = 16;
const NAME_BYTES_MAX = 1024;

export interface FunctionLocation {
  readonly symbol: string;
  /** Bytes from the start of the function. */
  readonly offset: bigint;
}

/** Returns null if the file is not a 64-bit ELF file or is damaged. */
export function* readFunctions(file: FileBytes): Steps<ElfFunctions | null> {
  return yield* nullIfDamaged(parseFunctions(file));
}

function* parseFunctions(file: FileBytes): Steps<ElfFunctions | null> {
  const parts = yield* readElfParts(file, SECTION_BYTES_MAX);
  if (parts === null) return null;
  const symbols = yield* nullIfDamaged(readSymbolTable(parts));
  return new ElfFunctions(yield* readBuildId(parts), parts.segments, symbols ?? undefined);
}

function* readBuildId(parts: ElfParts): Steps<string | undefined> {
  const notes: Note[] = [];
  for (const section of parts.sections) {
    if (section.type !== SHT_NOTE || section.size > NOTES_BYTES_MAX) continue;
    notes.push(...((yield* nullIfDamaged(readNotes(parts, section))) ?? []));
  }
  return findBuildId(notes);
}

function* readNotes({ view, readSection }: ElfParts, section: ElfParts['sections'][number]): Steps<Note[]> {
  return parseNotes(yield* readSection(section), view);
}

export class ElfFunctions {
  readonly buildId: string | undefined;
  readonly #segments: readonly Segment[];
  readonly #symbols: Symbols | undefined;

  constructor(buildId: string | undefined, segments: readonly Segment[], symbols: Symbols | undefined) {
    this.buildId = buildId;
    this.#segments = segments;
    this.#symbols = symbols;
  }

  /** Approximate memory of this object in bytes. */
  get bytes(): number {
    const { starts, strings } = this.#symbols ?? { starts: [], strings: [] };
    return 1024 + SYMBOL_BYTES * starts.length + strings.length;
  }

  /** Returns the function at this offset of the file. */
  find(fileOffset: bigint): FunctionLocation | undefined {
    const segment = this.#segments.find((each) => fileOffset >= each.offset && fileOffset < each.offset + each.size);
    if (segment === undefined || this.#symbols === undefined) return undefined;
    return findFunction(this.#symbols, Number(segment.address + (fileOffset - segment.offset)));
  }
}

/** The symbols in the order of their addresses. */
interface Symbols {
  readonly starts: Float64Array;
  readonly sizes: Float64Array;
  /** Offsets in `strings`. */
  readonly names: Uint32Array;
  readonly strings: Buffer;
}

/** Symbols that are handled in one step. */
const SYMBOLS_PER_STEP = 2000;

/** Reads the symbol table. A stripped file has only the table of dynamic symbols. */
function* readSymbolTable({ sections, view, readSection }: ElfParts): Steps<Symbols | undefined> {
  const section = sections.find(({ type }) => type === SHT_SYMTAB) ?? sections.find(({ type }) => type === SHT_DYNSYM);
  if (section === undefined) return undefined;
  const table = yield* readSection(section);
  const entry = Math.max(section.entry, SYMBOL_BYTES);
  const found: number[] = [];
  for (let at = 0, step = 0; at + SYMBOL_BYTES <= table.length; at += entry) {
    if (((table[at + 4] ?? 0) & 0xf) === STT_FUNC && view.u16(table, at + 6) !== 0) found.push(at);
    if (++step % SYMBOLS_PER_STEP === 0) yield;
  }
  const sorted = yield* sortByKey(found, (at) => view.u64(table, at + 8));
  const starts = new Float64Array(sorted.length);
  const sizes = new Float64Array(sorted.length);
  const names = new Uint32Array(sorted.length);
  for (let i = 0; i < sorted.length; i++) {
    const at = sorted[i] as number;
    starts[i] = view.u64(table, at + 8);
    sizes[i] = view.u64(table, at + 16);
    names[i] = view.u32(table, at);
    if (i % SYMBOLS_PER_STEP === 0) yield;
  }
  return { starts, sizes, names, strings: yield* readSection(sections[section.link]) };
}

/** Sorts by merging, because the sort of the language cannot pause. Equal keys keep their order. */
function* sortByKey(items: readonly number[], key: (item: number) => number): Steps<readonly number[]> {
  let runs: number[][] = [];
  for (let from = 0; from < items.length; from += SYMBOLS_PER_STEP) {
    runs.push(items.slice(from, from + SYMBOLS_PER_STEP).sort((a, b) => key(a) - key(b)));
    yield;
  }
  while (runs.length > 1) {
    const merged: number[][] = [];
    for (let i = 0; i < runs.length; i += 2) merged.push(yield* mergeRuns(runs[i] ?? [], runs[i + 1] ?? [], key));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeRuns(a: readonly number[], b: readonly number[], key: (item: number) => number): Steps<number[]> {
  const merged: number[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const takesFirst = j >= b.length || (i < a.length && key(a[i] as number) <= key(b[j] as number));
    merged.push((takesFirst ? a[i++] : b[j++]) as number);
    if (merged.length % SYMBOLS_PER_STEP === 0) yield;
  }
  return merged;
}

function findFunction({ starts, sizes, names, strings }: Symbols, address: number): FunctionLocation | undefined {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as number) <= address) low = middle + 1;
    else high = middle;
  }
  const start = starts[low - 1];
  if (start === undefined) return undefined;
  const found: string[] = [];
  for (let i = low - 1; i >= 0 && starts[i] === start && low - i <= ALIASES_MAX; i--) {
    const size = sizes[i] as number;
    // an assembler function can lack a size: it extends to the next function
    if (size !== 0 && address >= start + size) continue;
    const from = names[i] as number;
    const name = readBoundedString(strings, from, NAME_BYTES_MAX);
    if (name !== '') found.push(name);
  }
  const [symbol] = found.sort(compareNames);
  return symbol === undefined ? undefined : { symbol, offset: BigInt(address - start) };
}

/** Compares two names of one function: `open` comes before `__open64`. */
function compareNames(a: string, b: string): number {
  const rank = (name: string): number => (name.length - name.replace(/^_+/, '').length) * 1000 + name.length;
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}
