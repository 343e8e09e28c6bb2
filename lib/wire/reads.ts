/** How the BPF programs read each type of argument. */
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import { ARG_TYPE_NAMES, argType, BUFFER_TYPES, readFacts } from '../names/arg-types.js';
import type { ReadFacts } from '../names/value-reads.js';
import { AbiLimit, ValueMemory, ValueSource } from './layout.gen.js';

export type ReadClass = ReadFacts['class'];

interface Read {
  readonly read: number;
  readonly class: ReadClass;
  /** Bytes of a number; 0 for other types. */
  readonly width: number;
  readonly signed: boolean;
  /** True if the parameter points to the number. */
  readonly pointed: boolean;
}

const NO_NUMBER = { bytes: 0, signed: false };

function deriveRead(type: CompiledValue['type']): Read {
  const { read, class: compared, bits = 0, number, pointed = false } = argType(type);
  const { bytes, signed } = number ?? (bits > 0 ? { bytes: bits / 8, signed: compared === 'signed' } : NO_NUMBER);
  return { read, class: readFacts(type).class, width: bytes, signed, pointed };
}

export const READS = Object.fromEntries(ARG_TYPE_NAMES.map((type) => [type, deriveRead(type)])) as Readonly<
  Record<CompiledValue['type'], Read>
>;

/** True if the record has more of the value than a number. */
export function isObject(type: CompiledValue['type']): boolean {
  const { class: own } = READS[type];
  return own !== 'nothing' && own !== 'number';
}

/** True if `resolve` must end at a pointer or an object, not at a number. */
export function needsPointer(type: CompiledValue['type']): boolean {
  return (isObject(type) && readFacts(type).form !== 'number') || READS[type].pointed;
}

/** True if the return value is the number of bytes that the function wrote into the buffer. */
export function isSizeReturned(value: CompiledValue): boolean {
  return value.returnCopy === true && BUFFER_TYPES.has(value.type);
}

/** Number of bytes that the event reserves for the value. */
export function valueCapacity(value: CompiledValue): number {
  switch (READS[value.type].class) {
    case 'string':
    case 'buffer':
      return value.maxData === true ? AbiLimit.BUFFER_CAPACITY : AbiLimit.STRING_CAPACITY;
    case 'path':
      return AbiLimit.STRING_CAPACITY;
    case 'detail':
      return AbiLimit.DETAIL_CAPACITY;
    case 'nothing':
    case 'number':
      return 0;
  }
}

export function valueSource(value: CompiledValue, isReturn: boolean): number {
  if (isReturn) return ValueSource.SOURCE_RETURN;
  if (value.source === 'current_task') return ValueSource.SOURCE_TASK;
  if (value.source === 'duration') return ValueSource.SOURCE_DURATION;
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
