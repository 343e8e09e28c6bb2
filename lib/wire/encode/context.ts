/** The facts that encoding a hook needs beside its image: how it is attached, and properties of this kernel and machine. */
import type { NamespaceName, TableEntry } from '../../compiled/compiled-policy.js';
import type { Inode } from './tables.js';

export interface EncodeContext {
  readonly id: number;
  /** Process that is left out; 0 for none. */
  readonly selfTgid: number;
  /** True if entry and return are two programs. */
  readonly pair: boolean;
  /** True if the program is attached to several places. Its cookie says which place was reached. */
  readonly several: boolean;
  /** True for the system calls of 32-bit programs. */
  readonly ia32: boolean;
  /** Number of parameters of the kernel function. */
  readonly params: number;
  /** Number of places of a static probe. */
  readonly probePlaces?: number;
  /** For a hook that changes the traced program. */
  readonly programChanges?: ProgramChanges | undefined;
  /** The bit of each process set of the policy. */
  readonly processBits: readonly number[];
  /** The bit of each scope of the policy. */
  readonly scopeBits: readonly number[];
  /** For a policy with enforcers: the id of the first one. */
  readonly enforcer?: number | undefined;
  /** True if the kernel can allocate map entries on demand safely (BPF memory allocator). */
  readonly onDemand: boolean;
  /** True if every call is counted. */
  readonly countHits: boolean;
  /** The kernel's locks of names and mounts; undefined if the hook does not remember verdicts. */
  readonly locks?: KernelLocks | undefined;
  /** The values with `resolve`, by slot. */
  readonly resolved: ReadonlyMap<number, ResolvedValue>;
  /** The places in struct pt_regs of values from `pt_regs`, by slot. */
  readonly registers: ReadonlyMap<number, RegisterPlace>;
  /** The fields of a tracepoint's values, by slot. */
  readonly fields: ReadonlyMap<number, FieldPlace>;
  /** Slots of parameters that the context of a trampoline does not contain. */
  readonly byHelper: ReadonlySet<number>;
  /** The files that values of Equal lead to, with their entries of the table, by slot. */
  readonly inodes: ReadonlyMap<number, readonly TableEntry<Inode>[]>;
  /** Possible inode numbers of each initial namespace. */
  readonly hostNamespaces: Readonly<Record<NamespaceName, readonly number[]>>;
}

/** The addresses of sequence locks, which a hook needs to remember verdicts. */
export interface KernelLocks {
  readonly rename: bigint;
  readonly mount: bigint;
  /** Number of CPUs that have a memory. */
  readonly cpus: number;
  /** Ticks before another path is remembered in place of one; at most 255. */
  readonly rest: number;
}

/** A register, or its lowest bytes: they are read as a number without a sign. */
export interface RegisterPlace {
  /** In bytes, from the beginning of struct pt_regs. */
  readonly offset: number;
  readonly bytes: number;
}

export interface ProgramChanges {
  /** The assignments of each selector. */
  readonly assignments: readonly (readonly Assignment[])[];
  /** True if a register is set. Few kernels allow that, so other programs do not contain the instructions for it. */
  readonly setsRegisters: boolean;
}

/** An assignment to a register: to = offset, or offset + from, or the memory there. */
export interface Assignment {
  readonly to: AssignedRegister;
  readonly from?: AssignedRegister | undefined;
  readonly memory?: true | undefined;
  readonly offset: bigint;
}

/** The lowest bytes of a register. The value of fewer than eight bytes is extended with zeros. */
export interface AssignedRegister {
  /** Position in struct pt_regs, in words. */
  readonly place: number;
  readonly bytes: number;
}

/** The path from a parameter to a value. Each step adds its offset; with `follow` it then loads the pointer there. */
export interface ResolvedValue {
  readonly steps: readonly { readonly offset: number; readonly follow: boolean }[];
  /** Bytes of the number at the end of the path; 0 if it is not a number. */
  readonly width: number;
}

/** A field in the record of a tracepoint. */
export interface FieldPlace {
  readonly offset: number;
  /** Bytes of the number at the end of the path; 0 if it is not a number. */
  readonly width: number;
  /** The path from the field to the value. */
  readonly steps: ResolvedValue['steps'];
  /** True if the field contains the place of the text in the record. */
  readonly isLocation: boolean;
  /** The field with the size of the buffer. */
  readonly size?: { readonly offset: number; readonly width: number };
  /** The memory that contains the text. `by-address`: the address decides. */
  readonly memory: 'kernel' | 'user' | 'by-address';
}
