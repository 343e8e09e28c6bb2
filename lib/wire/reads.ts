/** How the BPF programs read each type of argument. */
import { BUFFER_TYPES } from '../image/hook.js';
import type { HookImage, ValueImage } from '../image/image.js';
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

const number = (width: number, signed = false, pointed = false): ReadFacts => ({
  read: ValueRead.READ_SCALAR,
  class: 'number',
  width,
  signed,
  pointed,
});
const object = (readClass: ReadClass, read: number): ReadFacts => ({
  read,
  class: readClass,
  width: 0,
  signed: false,
  pointed: false,
});
const text = (read: number): ReadFacts => object('text', read);
const path = (read: number): ReadFacts => object('path', read);
const detail = (read: number): ReadFacts => object('detail', read);
const nothing = object('nothing', ValueRead.READ_NOTHING);

export const READS: Readonly<Record<ValueImage['type'], ReadFacts>> = {
  nop: nothing,
  // the policy compiler refuses it
  auto: nothing,
  data_loc: text(ValueRead.READ_DATA_LOC),
  int: number(4, true),
  sint8: number(1, true),
  int8: number(1, true),
  uint8: number(1),
  sint16: number(2, true),
  int16: number(2, true),
  uint16: number(2),
  uint32: number(4),
  sint32: number(4, true),
  int32: number(4, true),
  ulong: number(8),
  uint64: number(8),
  size_t: number(8),
  long: number(8, true),
  sint64: number(8, true),
  int64: number(8, true),
  capability: number(4, true),
  bpf_cmd: number(4),
  syscall64: number(8),
  kernel_cap_t: number(8, false, true),
  cap_inheritable: number(8, false, true),
  cap_permitted: number(8, false, true),
  cap_effective: number(8, false, true),
  string: text(ValueRead.READ_STRING),
  filename: text(ValueRead.READ_FILENAME),
  net_device: text(ValueRead.READ_NET_DEVICE),
  sockaddr_un: text(ValueRead.READ_SOCKADDR_UN),
  char_buf: text(ValueRead.READ_BUFFER),
  const_buf: text(ValueRead.READ_BUFFER),
  char_iovec: text(ValueRead.READ_IOVEC),
  iov_iter: text(ValueRead.READ_IOV_ITER),
  file: path(ValueRead.READ_FILE),
  path: path(ValueRead.READ_PATH),
  // the width is that of the descriptor's number, if `resolve` finds it in memory
  fd: { ...path(ValueRead.READ_FD), width: 4, signed: true },
  dentry: path(ValueRead.READ_DENTRY),
  linux_binprm: path(ValueRead.READ_BINPRM),
  kiocb: path(ValueRead.READ_KIOCB),
  sock: detail(ValueRead.READ_SOCK),
  socket: detail(ValueRead.READ_SOCKET),
  skb: detail(ValueRead.READ_SKB),
  sockaddr: detail(ValueRead.READ_SOCKADDR),
  cred: detail(ValueRead.READ_CRED),
  user_namespace: detail(ValueRead.READ_USER_NAMESPACE),
  load_info: detail(ValueRead.READ_LOAD_INFO),
  module: detail(ValueRead.READ_MODULE),
  bpf_attr: detail(ValueRead.READ_BPF_ATTR),
  bpf_map: detail(ValueRead.READ_BPF_MAP),
  bpf_prog: detail(ValueRead.READ_BPF_PROG),
  perf_event: detail(ValueRead.READ_PERF_EVENT),
};

export function isObject(type: ValueImage['type']): boolean {
  return ['text', 'path', 'detail'].includes(READS[type].class);
}

/** True if `resolve` must end at a pointer or an object, not at a number. */
export function needsPointer(type: ValueImage['type']): boolean {
  return (isObject(type) && type !== 'fd') || READS[type].pointed;
}

/** True if the return value says how much of the buffer is filled. */
export function isSizeReturned(value: ValueImage): boolean {
  return value.returnCopy === true && BUFFER_TYPES.has(value.type);
}

/** Number of bytes that the event has for the value. */
export function roomOf(value: ValueImage): number {
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

export function sourceOf(value: ValueImage, isReturn: boolean): number {
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
  { kind, syscall }: Pick<HookImage, 'kind' | 'syscall'>,
  resolved: boolean,
): number {
  if ((kind === 'uprobe' || kind === 'usdt') && source !== ValueSource.SOURCE_TASK) return ValueMemory.MEMORY_USER;
  if (source === ValueSource.SOURCE_REGISTERS) return ValueMemory.MEMORY_BY_ADDRESS;
  const isParameter = source === ValueSource.SOURCE_PARAM || source === ValueSource.SOURCE_HELPER;
  if (!isParameter || resolved) return ValueMemory.MEMORY_KERNEL;
  return syscall ? ValueMemory.MEMORY_USER : ValueMemory.MEMORY_BY_ADDRESS;
}
