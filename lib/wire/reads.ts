/** How the BPF programs read each type of argument. */
import { BUFFER_TYPES } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import { ARG_TYPE_NAMES, argType } from '../names/arg-types.js';
import { AbiLimit, ValueMemory, ValueRead, ValueSource } from './layout.gen.js';

/** How a value is read. Class `string` includes buffers. */
export type ReadClass = 'nothing' | 'number' | 'string' | 'path' | 'detail';

export interface ReadFacts {
  readonly read: number;
  readonly class: ReadClass;
  /** Bytes of a number; 0 for other types. */
  readonly width: number;
  readonly signed: boolean;
  /** True if the parameter points to the number. */
  readonly pointed: boolean;
}

const NO_NUMBER = { bytes: 0, signed: false };

function deriveReadFacts(type: CompiledValue['type']): ReadFacts {
  const { read, class: compared, bits = 0, number, pointed = false } = argType(type);
  const { bytes, signed } = number ?? (bits > 0 ? { bytes: bits / 8, signed: compared === 'signed' } : NO_NUMBER);
  return { read, class: readClass(read), width: bytes, signed, pointed };
}

/** In enum value_read, the numbers of one class are consecutive. */
function readClass(read: number): ReadClass {
  if (read === ValueRead.READ_NOTHING) return 'nothing';
  if (read === ValueRead.READ_SCALAR) return 'number';
  if (read < ValueRead.READ_FILE) return 'string';
  return read < ValueRead.READ_SOCK ? 'path' : 'detail';
}

export const READS = Object.fromEntries(ARG_TYPE_NAMES.map((type) => [type, deriveReadFacts(type)])) as Readonly<
  Record<CompiledValue['type'], ReadFacts>
>;

export function isObject(type: CompiledValue['type']): boolean {
  return ['string', 'path', 'detail'].includes(READS[type].class);
}

/** True if `resolve` must end at a pointer or an object, not at a number. */
export function needsPointer(type: CompiledValue['type']): boolean {
  return (isObject(type) && type !== 'fd') || READS[type].pointed;
}

/** True if the return value is the number of bytes that the function wrote into the buffer. */
export function isSizeReturned(value: CompiledValue): boolean {
  return value.returnCopy === true && BUFFER_TYPES.has(value.type);
}

/** Number of bytes that the event reserves for the value. */
export function valueCapacity(value: CompiledValue): number {
  switch (READS[value.type].class) {
    case 'string':
      return value.maxData === true ? AbiLimit.BUFFER_CAPACITY : AbiLimit.STRING_CAPACITY;
    case 'path':
      return AbiLimit.STRING_CAPACITY;
    case 'detail':
      return AbiLimit.DETAIL_CAPACITY;
    default:
      return 0;
  }
}

export function valueSource(value: CompiledValue, isReturn: boolean): number {
  if (isReturn) return ValueSource.SOURCE_RETURN;
  if (value.source === 'current_task') return ValueSource.SOURCE_TASK;
  return value.source === 'pt_regs' ? ValueSource.SOURCE_REGISTERS : ValueSource.SOURCE_PARAM;
}

/**
 * The kind of memory that contains the strings and buffers of a value. System calls and functions of programs receive
 * user-space addresses. Kernel functions can receive addresses of both kinds.
 */
export function valueMemory(
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
