/** Decodes the values of a hook's record into typed arguments. The content of a record is not trusted. */
import type {
  AlgorithmAddressArgument,
  BufferArgument,
  HookArgument,
  SystemCallArgument,
  StringArgument,
} from '../../../types/events.js';
import type { CompiledValue } from '../../compiled/compiled-policy.js';
import { hostArchitecture, SYSCALL_COMPAT, syscallName } from '../../names/syscalls.js';
import {
  decodeBpfMap,
  decodeBpfProgram,
  decodeCredentials,
  decodeModule,
  decodePacket,
  decodePerfEvent,
  decodeSocket,
  decodeSocketAddress,
  decodeUserNamespace,
} from './details.js';
import { decodeFile } from './files.js';
import {
  AbiLimit,
  BpfDetail,
  CredDetail,
  EventHook,
  ModuleDetail,
  NetDetail,
  PerfDetail,
  StringFlag,
  UserNamespaceDetail,
  Value,
} from '../layout.gen.js';
import { capabilityName, capabilityNames } from '../../names/capabilities.js';
import { bpfCommandName } from '../../names/numbers.js';
import { RecordChunk } from '../record-chunk.js';

/** An offset in a chunk. A value that the record does not contain is read from a record of zeros. */
interface RecordLocation {
  readonly chunk: RecordChunk;
  readonly at: number;
}

const NO_DETAIL: RecordLocation = { chunk: RecordChunk.from(Buffer.alloc(AbiLimit.DETAIL_CAPACITY)), at: 0 };

function createMissingValue(): RecordLocation {
  const bytes = Buffer.alloc(Value.sizeof);
  bytes.writeUInt16LE(StringFlag.STRING_FAULT, Value.stringFlags);
  bytes.writeInt32LE(-1, Value.fd);
  return { chunk: RecordChunk.from(bytes), at: 0 };
}

const MISSING = createMissingValue();

/**
 * Decodes the value in `slot`. The record begins at `record` and has `size` bytes, all of them inside the chunk.
 * Returns undefined for a value that is not reported.
 */
export function decodeArgument(
  chunk: RecordChunk,
  record: number,
  size: number,
  slot: number,
  value: Pick<CompiledValue, 'type' | 'index' | 'label'>,
): HookArgument | undefined {
  return new Decoder(chunk, record, size, slot).decode(value);
}

class Decoder {
  readonly #chunk: RecordChunk;
  readonly #record: number;
  readonly #size: number;
  /** Location of the struct value. */
  readonly #value: RecordLocation;
  readonly #flags: number;

  constructor(chunk: RecordChunk, record: number, size: number, slot: number) {
    this.#chunk = chunk;
    this.#record = record;
    this.#size = size;
    const offset = EventHook.sizeof + slot * Value.sizeof;
    const isThere = offset + Value.sizeof <= size && slot < chunk.u16(record + EventHook.valuesCount);
    this.#value = isThere ? { chunk, at: record + offset } : MISSING;
    this.#flags = this.#value.chunk.u16(this.#value.at + Value.stringFlags);
  }

  decode({ type, index, label }: Pick<CompiledValue, 'type' | 'index' | 'label'>): HookArgument | undefined {
    const argument = this.#decodeValue(type, index);
    return argument === undefined || label === undefined ? argument : addLabel(argument, label);
  }

  #decodeValue(type: CompiledValue['type'], index: number): HookArgument | undefined {
    const { chunk, at } = this.#value;
    const number = at + Value.value;
    switch (type) {
      case 'int':
      case 'int32':
      case 'sint32':
        return { type, index, value: chunk.i32(number) };
      case 'uint32':
        return { type, index, value: chunk.u32(number) };
      case 'int16':
      case 'sint16':
        return { type, index, value: chunk.i16(number) };
      case 'uint16':
        return { type, index, value: chunk.u16(number) };
      case 'int8':
      case 'sint8':
        return { type, index, value: chunk.i8(number) };
      case 'uint8':
        return { type, index, value: chunk.u8(number) };
      case 'int64':
      case 'sint64':
      case 'long':
        return { type, index, value: chunk.i64(number) };
      case 'uint64':
      case 'ulong':
      case 'size_t':
        return { type, index, value: chunk.u64(number) };
      case 'bpf_cmd': {
        const value = chunk.u32(number);
        const name = bpfCommandName(value);
        return name === undefined ? { type, index, value } : { type, index, value, name };
      }
      case 'capability': {
        const value = chunk.i32(number);
        const name = capabilityName(value);
        return name === undefined ? { type, index, value } : { type, index, value, name };
      }
      case 'syscall64':
        return decodeSystemCall(chunk.u64(number), index);
      case 'kernel_cap_t':
      case 'cap_inheritable':
      case 'cap_permitted':
      case 'cap_effective': {
        const value = chunk.u64(number);
        return { type, index, value, names: capabilityNames(value) };
      }
      case 'string':
      case 'data_loc':
      case 'filename':
      case 'net_device':
      case 'sockaddr_un':
        return this.#decodeString(type, index);
      case 'sockaddr_alg':
        return this.#decodeAlgorithmAddress(index);
      case 'char_buf':
      case 'const_buf':
      case 'char_iovec':
      case 'iov_iter':
        return this.#decodeBuffer(type, index);
      case 'file':
      case 'path':
      case 'fd':
      case 'dentry':
      case 'linux_binprm':
      case 'kiocb':
        return decodeFile(chunk, at, this.#readString(), type, index);
      case 'sock':
      case 'socket':
        return this.#decodeDetail(NetDetail.sizeof, type, index, decodeSocket);
      case 'skb':
        return this.#decodeDetail(NetDetail.sizeof, type, index, decodePacket);
      case 'sockaddr':
        return this.#decodeDetail(NetDetail.sizeof, type, index, decodeSocketAddress);
      case 'cred':
        return this.#decodeDetail(CredDetail.sizeof, type, index, decodeCredentials);
      case 'user_namespace':
        return this.#decodeDetail(UserNamespaceDetail.sizeof, type, index, decodeUserNamespace);
      case 'bpf_attr':
      case 'bpf_prog':
        return this.#decodeDetail(BpfDetail.sizeof, type, index, decodeBpfProgram);
      case 'bpf_map':
        return this.#decodeDetail(BpfDetail.sizeof, type, index, decodeBpfMap);
      case 'perf_event':
        return this.#decodeDetail(PerfDetail.sizeof, type, index, decodePerfEvent);
      case 'module':
      case 'load_info':
        return this.#decodeDetail(ModuleDetail.sizeof, type, index, decodeModule);
      case 'nop':
      case 'auto':
        return undefined;
    }
  }

  #decodeString(type: StringArgument['type'], index: number): StringArgument {
    const argument: StringArgument = { type, index, value: this.#readString(), truncated: this.#isTruncated() };
    return this.#isUnreadable() ? markUnreadable(argument) : argument;
  }

  #decodeAlgorithmAddress(index: number): AlgorithmAddressArgument {
    const { chunk, at } = this.#value;
    const argument: AlgorithmAddressArgument = {
      type: 'sockaddr_alg',
      index,
      value: this.#readString(),
      features: chunk.u32(at + Value.value),
      mask: chunk.u32(at + Value.value + 4),
      truncated: false,
    };
    return this.#isUnreadable() ? markUnreadable(argument) : argument;
  }

  #decodeBuffer(type: BufferArgument['type'], index: number): BufferArgument {
    const range = this.#dataRange();
    // The bytes are copied, so that the argument does not keep the chunk in memory.
    const value = range === undefined ? new Uint8Array() : new Uint8Array(this.#chunk.bytes(range.at, range.end));
    const size = this.#value.chunk.u32(this.#value.at + Value.size);
    const argument: BufferArgument = { type, index, value, size, truncated: this.#isTruncated() };
    return this.#isUnreadable() ? markUnreadable(argument) : argument;
  }

  #decodeDetail<T, R extends HookArgument & MayBeUnreadable>(
    sizeof: number,
    type: T,
    index: number,
    decode: (chunk: RecordChunk, at: number, type: T, index: number, isUnreadable: boolean) => R,
  ): R {
    const range = this.#dataRange();
    if (range === undefined || range.end - range.at < sizeof) {
      return markUnreadable(decode(NO_DETAIL.chunk, NO_DETAIL.at, type, index, true));
    }
    const isUnreadable = this.#isUnreadable();
    const argument = decode(this.#chunk, range.at, type, index, isUnreadable);
    return isUnreadable ? markUnreadable(argument) : argument;
  }

  #readString(): string {
    const range = this.#dataRange();
    return range === undefined ? '' : this.#chunk.readString(range.at, range.end - range.at);
  }

  /** The range of the string or detail; undefined if a part of it is outside the record. */
  #dataRange(): { readonly at: number; readonly end: number } | undefined {
    const { chunk, at } = this.#value;
    const offset = chunk.u32(at + Value.stringOffset);
    const end = offset + chunk.u16(at + Value.stringLength);
    return end <= this.#size ? { at: this.#record + offset, end: this.#record + end } : undefined;
  }

  #isTruncated(): boolean {
    return (this.#flags & StringFlag.STRING_TRUNCATED) !== 0;
  }

  #isUnreadable(): boolean {
    return (this.#flags & StringFlag.STRING_FAULT) !== 0;
  }
}

// Members that few arguments have are added to the finished object. All other arguments of a type then have one shape.

function addLabel<T extends HookArgument>(argument: T, label: string): T {
  const open: { label?: string } = argument;
  open.label = label;
  return argument;
}

interface MayBeUnreadable {
  readonly unreadable?: true;
}

function markUnreadable<T extends MayBeUnreadable>(argument: T): T {
  const open: { unreadable?: true } = argument;
  open.unreadable = true;
  return argument;
}

/** In a system call number of a 32-bit program, the bit SYSCALL_COMPAT is set and no higher bit is. */
function decodeSystemCall(number: bigint, index: number): SystemCallArgument {
  const type = 'syscall64';
  const host = hostArchitecture();
  const isCompat = number >> 31n === 1n;
  const value = isCompat ? number & ~SYSCALL_COMPAT : number;
  if (isCompat && host === 'arm64') return { type, index, value, abi: 'arm32' };
  const abi = isCompat ? 'i386' : host;
  const name = syscallName(value, abi);
  return name === undefined ? { type, index, value, abi } : { type, index, value, name, abi };
}
