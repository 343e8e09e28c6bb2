/** The facts of an ELF file that checks and attaching need, and how addresses and offsets of the file belong together. */

export interface ElfInfo {
  /** Function symbols, the dynamic ones included, with their addresses; null of those that have no single one. */
  readonly symbols: ReadonlyMap<string, bigint | null>;
  /** The places of each static probe, by `PROVIDER:NAME`. */
  readonly probes: ReadonlyMap<string, readonly ProbePlace[]>;
  /** Of the linker's note, in hexadecimal digits. */
  readonly buildId?: string;
  /** Parts of the file that are mapped when it runs. */
  readonly segments: readonly Segment[];
}

export interface ProbePlace {
  /** One word for each argument, as SystemTap's notes have them: `-4@%edi`, `8@16(%rsp)`, `4@$7`. */
  readonly args: readonly string[];
}

export interface Segment {
  readonly address: bigint;
  readonly offset: bigint;
  /** Bytes. */
  readonly size: bigint;
}

/** Where in the file an address is; undefined where it is in no part of it. */
export function fileOffset({ segments }: Pick<ElfInfo, 'segments'>, address: bigint): bigint | undefined {
  const segment = segments.find((each) => address >= each.address && address < each.address + each.size);
  return segment === undefined ? undefined : segment.offset + (address - segment.address);
}

/** The other way round. */
export function virtualAddress({ segments }: Pick<ElfInfo, 'segments'>, offset: bigint): bigint | undefined {
  const segment = segments.find((each) => offset >= each.offset && offset < each.offset + each.size);
  return segment === undefined ? undefined : segment.address + (offset - segment.offset);
}

/** Files of the machine that the checks run on. */
export interface HostFiles {
  /** What a path leads to in the end; undefined where there is nothing. */
  realpath(path: string): string | undefined;
  /** null: no ELF file; undefined: it cannot be read. */
  elf(path: string): ElfInfo | null | undefined;
}
