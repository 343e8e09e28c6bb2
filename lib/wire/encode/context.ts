/** What encoding a hook needs to know beside its image: how it is attached, and what this kernel and machine are like. */
import type { NamespaceName, TableEntry } from '../../image/image.js';
import type { Inode } from './tables.js';

export interface EncodeContext {
  readonly id: number;
  /** 0: no process is left out. */
  readonly selfTgid: number;
  /** Entry and return are two programs. */
  readonly pair: boolean;
  /** The program is attached to several places, and told which by its cookie. */
  readonly several: boolean;
  /** A system call as 32-bit programs make it. */
  readonly ia32: boolean;
  /** Parameters of the kernel function. */
  readonly params: number;
  /** Of a static probe. */
  readonly probePlaces?: number;
  /** Of a hook that changes the programs that it is in. */
  readonly programChanges?: ProgramChanges | undefined;
  /** Bit of each of the policy's process sets. */
  readonly processBits: readonly number[];
  /** Of a policy with enforcers: the id of the first of them. */
  readonly enforcer?: number | undefined;
  /** Kernel allocates map entries on demand safely (BPF memory allocator). */
  readonly onDemand: boolean;
  /** Every call is counted. */
  readonly countHits: boolean;
  /** By slot, of values with `resolve`. */
  readonly resolved: ReadonlyMap<number, ResolvedValue>;
  /** By slot, of values of `pt_regs`: the byte offset in struct pt_regs. */
  readonly registers: ReadonlyMap<number, number>;
  /** By slot, of a tracepoint's values. */
  readonly fields: ReadonlyMap<number, FieldPlace>;
  /** Slots of parameters that a trampoline's context does not give. */
  readonly byHelper: ReadonlySet<number>;
  /** By slot: the files that values of Equal lead to, and what the table says of them. */
  readonly inodes: ReadonlyMap<number, readonly TableEntry<Inode>[]>;
  /** Inode numbers of the initial namespaces; several where it is one of them. */
  readonly hostNamespaces: Readonly<Record<NamespaceName, readonly number[]>>;
}

export interface ProgramChanges {
  /** Of each selector. */
  readonly assignments: readonly (readonly Assignment[])[];
  /** Only then the program has what few kernels allow. */
  readonly setsRegisters: boolean;
}

/** Of a register: its place in struct pt_regs, in words. to = offset; + from; what is there. */
export interface Assignment {
  readonly to: number;
  readonly from?: number | undefined;
  readonly memory?: true | undefined;
  readonly offset: bigint;
}

/** The way from a parameter to a value: address += offset, and when `follow`, address = *address. */
export interface ResolvedValue {
  readonly steps: readonly { readonly offset: number; readonly follow: boolean }[];
  /** Bytes of the number that is there; 0 of what is no number. */
  readonly width: number;
}

/** A field in the record of a tracepoint. */
export interface FieldPlace {
  readonly offset: number;
  /** Bytes of the number that is there; 0 of what is no number. */
  readonly width: number;
  /** From there to the value. */
  readonly steps: ResolvedValue['steps'];
  /** What is there says where in the record the text is. */
  readonly isLocation: boolean;
  /** A text that a pointer leads to is in user memory, or its address tells. */
  readonly memory: 'kernel' | 'user' | 'by-address';
}
