/** How the BPF programs read each type of argument. */
import { BUFFER_TYPES } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import { ARG_TYPE_NAMES, argType } from '../names/arg-types.js';
import { AbiLimit, ValueMemory, ValueRead, ValueSource } from './layout.gen.js';

export type ReadClass = 'nothing' | 'number' | 'text' | 'path' | 'detail';

export interface ReadFacts {
  readonly read: number;
  readonly class: ReadClass;
  /** Bytes of a number; 0 for other types. */
  readonly width: number;
  readonly signed: boolean;
  /** The number is what the parameter points to. */
  readonly pointed: boolean;
}

const NO_NUMBER = { bytes: 0, signed: false };

function factsOf(type: CompiledValue['type']): ReadFacts {
  const { read, class: compared, bits = 0, number, pointed = false } = argType(type);
  const { bytes, signed } = number ?? (bits > 0 ? { bytes: bits / 8, signed: compared === 'signed' } : NO_NUMBER);
  return { read, class: classOf(read), width: bytes, signed, pointed };
}

/** enum value_read has a range of numbers for each class. */
function classOf(read: number): ReadClass {
  if (read === ValueRead.READ_NOTHING) return 'nothing';
  if (read === ValueRead.READ_SCALAR) return 'number';
  if (read < ValueRead.READ_FILE) return 'text';
  return read < ValueRead.READ_SOCK ? 'path' : 'detail';
}

export const READS = Object.fromEntries(ARG_TYPE_NAMES.map((type) => [type, factsOf(type)])) as Readonly<
  Record<CompiledValue['type'], ReadFacts>
>;

export function isObject(type: CompiledValue['type']): boolean {
  return ['text', 'path', 'detail'].includes(READS[type].class);
}

/** True if `resolve` must end at a pointer or an object, not at a number. */
export function needsPointer(type: CompiledValue['type']): boolean {
  return (isObject(type) && type !== 'fd') || READS[type].pointed;
}

/** True if the return value says how much of the buffer is filled. */
export function isSizeReturned(value: CompiledValue): boolean {
  return value.returnCopy === true && BUFFER_TYPES.has(value.type);
}

/** Number of bytes that the event has for the value. */
export function roomOf(value: CompiledValue): number {
  switch (READS[value.type].class) {
    case 'text':
      return value.maxData === true ? AbiLimit.BUFFER_ROOM : AbiLimit.TEXT_ROOM;
    case 'path':
      return AbiLimit.TEXT_ROOM;
    case 'detail':
      return AbiLimit.DETAIL_ROOM;
    default:
      return 0;
  }
}

export function sourceOf(value: CompiledValue, isReturn: boolean): number {
  if (isReturn) return ValueSource.SOURCE_RETURN;
  if (value.source === 'current_task') return ValueSource.SOURCE_TASK;
  return value.source === 'pt_regs' ? ValueSource.SOURCE_REGISTERS : ValueSource.SOURCE_PARAM;
}

/**
 * Kind of memory that contains strings and buffers. A system call and a function of a program receive addresses of user
 * space; a function of the kernel can receive both kinds.
 */
export function memoryOf(
  source: number,
  { kind, syscall }: Pick<CompiledHook, 'kind' | 'syscall'>,
  resolved: boolean,
): number {
  if ((kind === 'uprobe' || kind === 'usdt') && source !== ValueSource.SOURCE_TASK) return ValueMemory.MEMORY_USER;
  if (source === ValueSource.SOURCE_REGISTERS) return ValueMemory.MEMORY_BY_ADDRESS;
  const isParameter = source === ValueSource.SOURCE_PARAM || source === ValueSource.SOURCE_HELPER;
  if (!isParameter || resolved) return ValueMemory.MEMORY_KERNEL;
  return syscall ? ValueMemory.MEMORY_USER : ValueMemory.MEMORY_BY_ADDRESS;
}
