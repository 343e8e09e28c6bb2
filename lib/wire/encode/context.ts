/**
 * The facts that encoding a compiled hook needs: how the hook is attached, and properties of this kernel and machine.
 */
import type { NamespaceName, TableEntry } from '../../compiled/compiled-policy.js';
import type { Inode } from './tables.js';

export interface EncodeContext {
  readonly id: number;
  /** The process whose calls are ignored; 0 for none. */
  readonly selfTgid: number;
  /** True if entry and return are two programs. */
  readonly pair: boolean;
  /** True if the program has several attach points. Its cookie is the index of the attach point that was reached. */
  readonly multiplePoints: boolean;
  /** True for the system calls of 32-bit programs. */
  readonly ia32: boolean;
  /** Number of parameters of the kernel function. */
  readonly params: number;
  /** Number of attach points of a static probe. */
  readonly probePoints?: number;
  /** Present for a hook that changes the traced program. */
  readonly programChanges?: ProgramChanges | undefined;
  /** The bit of each process set of the policy. */
  readonly processBits: readonly number[];
  /** The bit of each scope of the policy. */
  readonly scopeBits: readonly number[];
  /** The id of each mark of the policy. */
  readonly markIds?: readonly number[];
  /** The id of the policy's first enforcer. */
  readonly enforcer?: number | undefined;
  /** True if the kernel can allocate map entries on demand safely (BPF memory allocator). */
  readonly onDemand: boolean;
  /** True if every call is counted. */
  readonly countHits: boolean;
  /** Number of CPUs that the kernel can have. */
  readonly cpus: number;
  /** Random numbers for the hashes of labels: 64 bits each. */
  readonly countSeed: readonly [bigint, bigint];
  /** The hook may move into a group. */
  readonly canMove?: boolean;
  /** How the program protects its scratch memory: enum scratch_guard in bpf/abi.h. */
  readonly guard: number;
  /** The kernel's locks of names and mounts; undefined if the hook has no negative cache. */
  readonly locks?: KernelLocks | undefined;
  /** The same for the program of a group. */
  readonly groupLocks?: KernelLocks | undefined;
  /** The kernel's tables for unwinding stacks; undefined if the hook does not keep the stacks that it has seen. */
  readonly unwinder?: KernelUnwinder | undefined;
  /** The values with `resolve`, by slot. */
  readonly resolved: ReadonlyMap<number, ResolvedValue>;
  /** The registers in struct pt_regs that contain values from `pt_regs`, by slot. */
  readonly registers: ReadonlyMap<number, RegisterLocation>;
  /** The fields of a tracepoint's values, by slot. */
  readonly fields: ReadonlyMap<number, FieldLocation>;
  /** Slots of parameters that are read by a helper, because the context of a trampoline does not contain them. */
  readonly helperSlots: ReadonlySet<number>;
  /** The parameters with the sizes of buffers and addresses, by slot. */
  readonly sizes: ReadonlyMap<number, SizeParameter>;
  /** The inodes of the files that values of Equal lead to, with their table entries, by slot. */
  readonly inodes: ReadonlyMap<number, readonly TableEntry<Inode>[]>;
  /** Possible inode numbers of each initial namespace. */
  readonly hostNamespaces: Readonly<Record<NamespaceName, readonly number[]>>;
}

export interface SizeParameter {
  /** Position of the parameter, from 1. */
  readonly param: number;
  /** Bytes of its type. */
  readonly width: number;
  /** The parameter is a packet: bytes from its start to its member `len`. */
  readonly packetLength?: number;
}

/** The addresses of the kernel's ORC tables. */
export interface KernelUnwinder {
  /** The code of the kernel itself, in bytes. */
  readonly textStart: bigint;
  readonly textSize: bigint;
  readonly lookup: bigint;
  readonly addresses: bigint;
  readonly entries: bigint;
  /** Number of CPUs: each one has a cache of its own. */
  readonly cpus: number;
}

/** The addresses of the sequence locks that a hook with a negative cache checks, and the size of the cache. */
export interface KernelLocks {
  readonly rename: bigint;
  readonly mount: bigint;
  /** Address of the variable that points to the mount of memory files; 0n: unknown. */
  readonly memoryMount: bigint;
  /** Number of CPUs: each one has a cache of its own. */
  readonly cpus: number;
  /** Ticks before another path can replace a cached one; at most 255. */
  readonly holdTicks: number;
}

/** A register, or its lowest bytes, which are read as an unsigned number. */
export interface RegisterLocation {
  /** Bytes from the start of struct pt_regs. */
  readonly offset: number;
  readonly bytes: number;
}

export interface ProgramChanges {
  /** The assignments of each selector. */
  readonly assignments: readonly (readonly Assignment[])[];
  /** True if a register is set. Few kernels allow that, so only these programs contain the instructions for it. */
  readonly setsRegisters: boolean;
}

/** An assignment to a register: to = offset, or to = offset + from, or to = the memory at that address. */
export interface Assignment {
  readonly to: AssignedRegister;
  readonly from?: AssignedRegister | undefined;
  readonly memory?: true | undefined;
  readonly offset: bigint;
}

/** The lowest bytes of a register. A value of fewer than eight bytes is extended with zeros. */
export interface AssignedRegister {
  /** Index of the register in struct pt_regs, in words. */
  readonly wordIndex: number;
  readonly bytes: number;
}

/** The path from a parameter to a value. Each step adds its offset. With `follow`, it then loads the pointer there. */
export interface ResolvedValue {
  readonly steps: readonly { readonly offset: number; readonly follow: boolean }[];
  /** Bytes of the number at the end of the path; 0 if it is not a number. */
  readonly width: number;
}

/** A field in the record of a tracepoint. */
export interface FieldLocation {
  readonly offset: number;
  /** Bytes of the number at the end of the path; 0 if it is not a number. */
  readonly width: number;
  /** The path from the field to the value. */
  readonly steps: ResolvedValue['steps'];
  /** True if the field contains the location of the string in the record (`__data_loc`). */
  readonly isDataLoc: boolean;
  /** The field with the size of the buffer. */
  readonly size?: SizeParameter & { readonly offset: number };
  /** The memory that contains the string. `by-address`: the address decides. */
  readonly memory: 'kernel' | 'user' | 'by-address';
}
