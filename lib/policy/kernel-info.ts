/** What the checks need to know of a kernel and of this machine's files. Facts come in through here; the checks read nothing. */
export type * from '../../types/kernel.js';

export interface ElfInfo {
  /** Function symbols, the dynamic ones included. */
  readonly symbols: ReadonlySet<string>;
  /** `PROVIDER:NAME` of the static probes. */
  readonly probes: ReadonlySet<string>;
}

/** Files of the machine that the checks run on. */
export interface HostFiles {
  /** What a path leads to in the end; undefined where there is nothing. */
  realpath(path: string): string | undefined;
  /** null: no ELF file; undefined: it cannot be read. */
  elf(path: string): ElfInfo | null | undefined;
}
