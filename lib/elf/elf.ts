/**
 * Parses the targets of probes in an ELF file: function symbols, and the notes of static probes. It supports 64-bit files of
 * both byte orders.
 */
import { runToCompletion, type Steps } from '../cooperative.js';
import { BUILD_ID_BYTES_MAX } from './digests.js';
import { fileOffset, type ElfInfo, type ProbePoint, type Segment } from './elf-info.js';
import { BIG, LITTLE, readBoundedString, readString, type View } from './elf-bytes.js';
import { readBytes, type FileBytes } from './file-bytes.js';
import { readGoFunctions } from './go-functions.js';

const PT_LOAD = 1;
const PT_NOTE = 4;
export const SHT_SYMTAB = 2;
export const SHT_NOTE = 7;
export const SHT_DYNSYM = 11;
export const STT_FUNC = 2;
const STB_WEAK = 2;
const STT_GNU_IFUNC = 10;
/** Limits of the size of a program header. */
const HEADER_BYTES = { min: 56, max: 256 };
/** Maximum number of bytes of notes that are searched for a build id. */
export const NOTES_BYTES_MAX = 64 * 1024;
/** Maximum size of one section. A file with a larger section is damaged. */
const SECTION_BYTES_MAX = 256 * 1024 * 1024;
/** Limit of the sum of all sections that are read, as a multiple of the file size. Sections of a valid file do not overlap. */
const SECTIONS_TOTAL = 4;
/** Limit of the sum of all symbol names, as a multiple of the size of their tables. */
const NAMES_TOTAL = 4;
/** Maximum length of a name. A file with a longer name is damaged. */
const NAME_BYTES_MAX = 64 * 1024;
/** Maximum size of an entry in the tables of sections and segments. */
const ENTRY_BYTES_MAX = 256;

interface Section {
  /** Offset of the name in the section of names. */
  readonly name: number;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entry: number;
}

/** Returns null if the file is not a 64-bit ELF file or is damaged. */
export function readElf(file: FileBytes): ElfInfo | null {
  return runToCompletion(readElfSteps(file));
}

/** The same as `readElf`, in steps. With `wanted`, `symbols` has only the functions of these names. */
export function* readElfSteps(file: FileBytes, wanted?: ReadonlySet<string>): Steps<ElfInfo | null> {
  return yield* nullIfDamaged(parseElf(file, wanted));
}

/** Runs `parse` and returns null if the file does not contain what `parse` reads (RangeError). */
export function* nullIfDamaged<T>(parse: Steps<T>): Steps<T | null> {
  try {
    return yield* parse;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Iterations of a loop between two yields. */
const ITERATIONS_PER_SLICE = 500;

/** Returns a function that returns true once in `ITERATIONS_PER_SLICE` calls: then the loop yields. */
function countIterations(): () => boolean {
  let left = ITERATIONS_PER_SLICE;
  return () => {
    if (--left > 0) return false;
    left = ITERATIONS_PER_SLICE;
    return true;
  };
}

/** The parts of an ELF file. */
export interface ElfParts {
  readonly view: View;
  readonly sections: readonly Section[];
  readonly segments: readonly Segment[];
  /** The section with the names of all sections. */
  readonly names: Section | undefined;
  readonly readSection: (section: Section | undefined) => Steps<Buffer>;
}

/**
 * Reads the tables of sections and segments of a file. `readSection` reads sections of up to `sectionMax` bytes. Throws
 * RangeError if the file is damaged. Returns null if it is not an ELF file.
 */
export function* readElfParts(file: FileBytes, sectionMax: number): Steps<ElfParts | null> {
  const header = yield* readBytes(file, 0, 64);
  if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2) return null;
  const view = header[5] === 2 ? BIG : LITTLE;
  const [start, size, count] = [view.u64(header, 40), view.u16(header, 58), view.u16(header, 60)];
  if (size > ENTRY_BYTES_MAX) throw new RangeError('sections of another size');
  const table = yield* readBytes(file, start, size * count);
  const sections = Array.from({ length: count }, (_, i): Section => {
    const from = i * size;
    return {
      name: view.u32(table, from),
      type: view.u32(table, from + 4),
      offset: view.u64(table, from + 24),
      size: view.u64(table, from + 32),
      link: view.u32(table, from + 40),
      entry: view.u64(table, from + 56),
    };
  });
  // sections may overlap, and a file may have more than 60,000 of them
  let left = SECTIONS_TOTAL * file.size;
  const readSection = (section: Section | undefined): Steps<Buffer> => {
    left -= section?.size ?? 0;
    if (section === undefined || section.size > sectionMax || left < 0) throw new RangeError('no such section');
    return readBytes(file, section.offset, section.size);
  };
  const segments = yield* readSegments(header, file, view);
  return { view, sections, segments, names: sections[view.u16(header, 62)], readSection };
}

function* parseElf(file: FileBytes, wanted: ReadonlySet<string> | undefined): Steps<ElfInfo | null> {
  const parts = yield* readElfParts(file, SECTION_BYTES_MAX);
  if (parts === null) return null;
  const { view, sections, segments, readSection } = parts;
  const symbols = new Map<string, bigint | null>();
  const probes = new Map<string, ProbePoint[]>();
  let buildId: string | undefined;
  for (const section of sections) {
    if (section.type === SHT_SYMTAB || section.type === SHT_DYNSYM) {
      if (wanted?.size === 0) continue;
      const [table, strings] = [yield* readSection(section), yield* readSection(sections[section.link])];
      const shouldYield = countIterations();
      // dynamic symbols have precedence, because the loader uses them
      for (const [name, at] of yield* parseSymbols({
        table,
        strings,
        entry: Math.max(section.entry, 24),
        view,
        wanted,
      })) {
        if (section.type === SHT_DYNSYM || !symbols.has(name)) symbols.set(name, at);
        if (shouldYield()) yield;
      }
    } else if (section.type === SHT_NOTE) {
      const notes = parseNotes(yield* readSection(section), view);
      const shouldYield = countIterations();
      for (const { owner, type, content: probe } of notes) {
        if (owner === 'stapsdt' && type === NOTE_STAPSDT) addProbe(probes, probe);
        if (shouldYield()) yield;
      }
      buildId = findBuildId(notes) ?? buildId;
    }
  }
  // a stripped program
  if (wanted?.size !== 0 && sections.every(({ type }) => type !== SHT_SYMTAB)) {
    for (const [name, at] of (yield* nullIfDamaged(findGoFunctions(parts, wanted))) ?? []) {
      if (!symbols.has(name)) symbols.set(name, at);
    }
  }
  const id = buildId === undefined ? {} : { buildId };
  return { symbols, probes, ...id, segments };
}

/** Maximum size of the section with the names of sections, of which a program has some dozens. */
const SECTION_NAMES_MAX = 64 * 1024;

/** Returns the functions of a Go program, in memory that the file maps. */
function* findGoFunctions(
  { view, sections, segments, names, readSection }: ElfParts,
  wanted: ReadonlySet<string> | undefined,
): Steps<Map<string, bigint>> {
  const found = new Map<string, bigint>();
  if (names === undefined || names.size > SECTION_NAMES_MAX) return found;
  const text = yield* readSection(names);
  // in position-independent programs .data.rel.ro.gopclntab
  const table = sections.find(({ name }) => readBoundedString(text, name, NAME_BYTES_MAX).endsWith('.gopclntab'));
  if (table === undefined) return found;
  const shouldYield = countIterations();
  for (const [name, at] of yield* readGoFunctions(yield* readSection(table), view, wanted)) {
    if (fileOffset({ segments }, at) !== undefined) found.set(name, at);
    if (shouldYield()) yield;
  }
  return found;
}

/** Reads the segments from the program headers. */
function* readSegments(header: Buffer, file: FileBytes, view: View): Steps<Segment[]> {
  const [start, size, count] = [view.u64(header, 32), view.u16(header, 54), view.u16(header, 56)];
  if (size > ENTRY_BYTES_MAX) throw new RangeError('segments of another size');
  const table = yield* readBytes(file, start, size * count);
  return Array.from({ length: count }, (_, i) => i * size)
    .filter((from) => view.u32(table, from) === PT_LOAD)
    .map((from) => ({
      offset: BigInt(view.u64(table, from + 8)),
      address: BigInt(view.u64(table, from + 16)),
      size: BigInt(view.u64(table, from + 32)),
    }));
}

/**
 * Returns the build id in hexadecimal digits. It reads only the program headers, which a stripped program also has.
 * Returns undefined if there is no build id, or if the file is damaged.
 */
export function* readMappedBuildId(file: FileBytes): Steps<string | undefined> {
  return (yield* nullIfDamaged(findMappedBuildId(file))) ?? undefined;
}

function* findMappedBuildId(file: FileBytes): Steps<string | undefined> {
  const header = yield* readBytes(file, 0, 64);
  if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2) return undefined;
  const view = header[5] === 2 ? BIG : LITTLE;
  const [start, size, count] = [view.u64(header, 32), view.u16(header, 54), view.u16(header, 56)];
  if (size < HEADER_BYTES.min || size > HEADER_BYTES.max) return undefined;
  const table = yield* readBytes(file, start, size * count);
  let left = NOTES_BYTES_MAX;
  for (let from = 0; from + size <= table.length; from += size) {
    if (view.u32(table, from) !== PT_NOTE) continue;
    const notes = yield* readBytes(file, view.u64(table, from + 8), Math.min(view.u64(table, from + 32), left));
    left -= notes.length;
    const id = findBuildId(parseNotes(notes, view));
    if (id !== undefined) return id.length <= 2 * BUILD_ID_BYTES_MAX ? id : undefined;
  }
  return undefined;
}

interface SymbolTable {
  readonly table: Buffer;
  readonly strings: Buffer;
  /** Bytes of an entry of the table. */
  readonly entry: number;
  readonly view: View;
  /** A large program has hundreds of thousands of names, and a caller needs a few of them. */
  readonly wanted: ReadonlySet<string> | undefined;
}

/**
 * Returns the functions of a symbol table with their addresses. The address is null if several functions have the name, or
 * if the address is chosen when the program starts.
 */
function* parseSymbols({
  table,
  strings,
  entry,
  view,
  wanted,
}: SymbolTable): Steps<ReadonlyMap<string, bigint | null>> {
  const symbols = new Map<string, bigint | null>();
  const weak = new Set<string>();
  // in a damaged file, each name can extend to the end of the string table
  let left = NAMES_TOTAL * (table.length + strings.length);
  const shouldYield = countIterations();
  for (let at = 0; at + 24 <= table.length; at += entry) {
    if (shouldYield()) yield;
    const info = table[at + 4] ?? 0;
    const type = info & 0xf;
    const isDefined = view.u16(table, at + 6) !== 0;
    if (!isDefined || (type !== STT_FUNC && type !== STT_GNU_IFUNC)) continue;
    const name = readBoundedString(strings, view.u32(table, at), NAME_BYTES_MAX);
    left -= name.length;
    if (left < 0 || name.length >= NAME_BYTES_MAX) throw new RangeError('names without an end');
    if (wanted?.has(name) === false) continue;
    const address = type === STT_FUNC ? BigInt(view.u64(table, at + 8)) : null;
    const isWeak = info >> 4 === STB_WEAK;
    const known = symbols.get(name);
    if (name === '' || known === address || (isWeak && known !== undefined)) continue;
    const isAmbiguous = known !== undefined && !weak.has(name);
    symbols.set(name, isAmbiguous ? null : address);
    if (isWeak) weak.add(name);
    else weak.delete(name);
  }
  return symbols;
}

const NOTE_STAPSDT = 3;
const NOTE_BUILD_ID = 3;

export interface Note {
  readonly owner: string;
  readonly type: number;
  readonly content: Buffer;
}

/** Returns the build id from the note of the linker, in hexadecimal digits. */
export function findBuildId(notes: readonly Note[]): string | undefined {
  return notes.findLast(({ owner, type }) => owner === 'GNU' && type === NOTE_BUILD_ID)?.content.toString('hex');
}

export function parseNotes(notes: Buffer, view: View): Note[] {
  const result: Note[] = [];
  for (let at = 0; at + 12 <= notes.length;) {
    const [nameSize, size, type] = [view.u32(notes, at), view.u32(notes, at + 4), view.u32(notes, at + 8)];
    const start = at + 12 + align4(nameSize);
    if (start + size > notes.length) break;
    const owner = readBoundedString(notes, at + 12, nameSize);
    result.push({ owner, type, content: notes.subarray(start, start + size) });
    at = start + align4(size);
  }
  return result;
}

/** A note contains three addresses, then the strings PROVIDER, NAME and ARGUMENTS (version 3 of SystemTap's format). */
function addProbe(probes: Map<string, ProbePoint[]>, content: Buffer): void {
  const provider = readString(content, 24);
  const nameAt = 24 + Buffer.byteLength(provider) + 1;
  const name = readString(content, nameAt);
  const args = readString(content, nameAt + Buffer.byteLength(name) + 1);
  const key = `${provider}:${name}`;
  const points = probes.get(key);
  if (points === undefined) probes.set(key, [{ args: splitArguments(args) }]);
  else points.push({ args: splitArguments(args) });
}

/** Splits ARGUMENTS. Each argument begins with its number of bytes, and can contain blanks. */
function splitArguments(args: string): string[] {
  const result: string[][] = [];
  for (const part of args.split(' ')) {
    if (result.length === 0 || /^-?\d+f?@/.test(part)) result.push([part]);
    else result.at(-1)?.push(part);
  }
  return result.map((parts) => parts.join(' ').trim()).filter((arg) => arg !== '');
}

function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}
