/** The contents of an ELF file that checks and attaching need, and conversions between its addresses and file offsets. */

export interface ElfInfo {
  /** Addresses of the function symbols, including dynamic symbols; null for a symbol without one fixed address. */
  readonly symbols: ReadonlyMap<string, bigint | null>;
  /** The attach points of each static probe, by `PROVIDER:NAME`. */
  readonly probes: ReadonlyMap<string, readonly ProbePoint[]>;
  /** Build id from the note of the linker, in hexadecimal digits. */
  readonly buildId?: string;
  /** Parts of the file that are mapped into memory when it runs. */
  readonly segments: readonly Segment[];
}

export interface ProbePoint {
  /** The specification of each argument, in the form of SystemTap's notes: `-4@%edi`, `8@16(%rsp)`, `4@$7`. */
  readonly args: readonly string[];
}

export interface Segment {
  readonly address: bigint;
  readonly offset: bigint;
  /** Number of bytes. */
  readonly size: bigint;
}

/** Converts an address into a file offset. Returns undefined if no segment contains the address. */
export function fileOffset({ segments }: Pick<ElfInfo, 'segments'>, address: bigint): bigint | undefined {
  const segment = segments.find((each) => address >= each.address && address < each.address + each.size);
  return segment === undefined ? undefined : segment.offset + (address - segment.address);
}

/** Converts a file offset into an address. Returns undefined if no segment contains the offset. */
export function virtualAddress({ segments }: Pick<ElfInfo, 'segments'>, offset: bigint): bigint | undefined {
  const segment = segments.find((each) => offset >= each.offset && offset < each.offset + each.size);
  return segment === undefined ? undefined : segment.address + (offset - segment.offset);
}

/** Reads the files of the machine on which the checks run. */
export interface HostFiles {
  /** Resolves all symbolic links of a path. Returns undefined if the path does not exist. */
  realpath(path: string): string | undefined;
  /** Returns the interpreter that the first line of a script names. Returns undefined for any other file. */
  interpreter(path: string): string | undefined;
  /** Returns null if the file is not an ELF file, and undefined if it cannot be read. */
  readElf(path: string): ElfInfo | null | undefined;
}
