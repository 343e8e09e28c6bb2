/** Decodes the values of a hook's record into typed arguments. The content of a record is not trusted. */
import type { BufferArgument, HookArgument, SystemCallArgument, TextArgument } from '../../../types/events.js';
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
  TextFlag,
  UserNamespaceDetail,
  Value,
} from '../layout.gen.js';
import { capabilityName, capabilityNames } from '../../names/capabilities.js';
import { bpfCommandName } from '../../names/numbers.js';
import { Slab } from '../slab.js';

/** A place in a record. A value that the record does not contain has a place in a record of zeros. */
interface Place {
  readonly slab: Slab;
  readonly at: number;
}

const NO_DETAIL: Place = { slab: Slab.of(Buffer.alloc(AbiLimit.DETAIL_ROOM)), at: 0 };

function missingValue(): Place {
  const bytes = Buffer.alloc(Value.sizeof);
  bytes.writeUInt16LE(TextFlag.TEXT_FAULT, Value.textFlags);
  bytes.writeInt32LE(-1, Value.fd);
  return { slab: Slab.of(bytes), at: 0 };
}

const MISSING = missingValue();

/**
 * `record` is the start of the record, and `size` is its length, which must be inside of the slab. `slot` is the
 * position of the value in the policy. Returns undefined for a value that is not reported.
 */
export function decodeArgument(
  slab: Slab,
  record: number,
  size: number,
  slot: number,
  image: Pick<CompiledValue, 'type' | 'index' | 'label'>,
): HookArgument | undefined {
  return new Decoder(slab, record, size, slot).decode(image);
}

class Decoder {
  readonly #slab: Slab;
  readonly #record: number;
  readonly #size: number;
  /** The place of the struct value. */
  readonly #value: Place;
  readonly #flags: number;

  constructor(slab: Slab, record: number, size: number, slot: number) {
    this.#slab = slab;
    this.#record = record;
    this.#size = size;
    const offset = EventHook.sizeof + slot * Value.sizeof;
    const isThere = offset + Value.sizeof <= size && slot < slab.u16(record + EventHook.valuesCount);
    this.#value = isThere ? { slab, at: record + offset } : MISSING;
    this.#flags = this.#value.slab.u16(this.#value.at + Value.textFlags);
  }

  decode({ type, index, label }: Pick<CompiledValue, 'type' | 'index' | 'label'>): HookArgument | undefined {
    const argument = this.#decode(type, index);
    return argument === undefined || label === undefined ? argument : labelled(argument, label);
  }

  #decode(type: CompiledValue['type'], index: number): HookArgument | undefined {
    const { slab, at } = this.#value;
    const number = at + Value.value;
    switch (type) {
      case 'int':
      case 'int32':
      case 'sint32':
        return { type, index, value: slab.i32(number) };
      case 'uint32':
        return { type, index, value: slab.u32(number) };
      case 'int16':
      case 'sint16':
        return { type, index, value: slab.i16(number) };
      case 'uint16':
        return { type, index, value: slab.u16(number) };
      case 'int8':
      case 'sint8':
        return { type, index, value: slab.i8(number) };
      case 'uint8':
        return { type, index, value: slab.u8(number) };
      case 'int64':
      case 'sint64':
      case 'long':
        return { type, index, value: slab.i64(number) };
      case 'uint64':
      case 'ulong':
      case 'size_t':
        return { type, index, value: slab.u64(number) };
      case 'bpf_cmd': {
        const value = slab.u32(number);
        const name = bpfCommandName(value);
        return name === undefined ? { type, index, value } : { type, index, value, name };
      }
      case 'capability': {
        const value = slab.i32(number);
        const name = capabilityName(value);
        return name === undefined ? { type, index, value } : { type, index, value, name };
      }
      case 'syscall64':
        return systemCall(slab.u64(number), index);
      case 'kernel_cap_t':
      case 'cap_inheritable':
      case 'cap_permitted':
      case 'cap_effective': {
        const value = slab.u64(number);
        return { type, index, value, names: capabilityNames(value) };
      }
      case 'string':
      case 'data_loc':
      case 'filename':
      case 'net_device':
      case 'sockaddr_un':
        return this.#text(type, index);
      case 'char_buf':
      case 'const_buf':
      case 'char_iovec':
      case 'iov_iter':
        return this.#buffer(type, index);
      case 'file':
      case 'path':
      case 'fd':
      case 'dentry':
      case 'linux_binprm':
      case 'kiocb':
        return decodeFile(slab, at, this.#string(), type, index);
      case 'sock':
      case 'socket':
        return this.#detail(NetDetail.sizeof, type, index, decodeSocket);
      case 'skb':
        return this.#detail(NetDetail.sizeof, type, index, decodePacket);
      case 'sockaddr':
        return this.#detail(NetDetail.sizeof, type, index, decodeSocketAddress);
      case 'cred':
        return this.#detail(CredDetail.sizeof, type, index, decodeCredentials);
      case 'user_namespace':
        return this.#detail(UserNamespaceDetail.sizeof, type, index, decodeUserNamespace);
      case 'bpf_attr':
      case 'bpf_prog':
        return this.#detail(BpfDetail.sizeof, type, index, decodeBpfProgram);
      case 'bpf_map':
        return this.#detail(BpfDetail.sizeof, type, index, decodeBpfMap);
      case 'perf_event':
        return this.#detail(PerfDetail.sizeof, type, index, decodePerfEvent);
      case 'module':
      case 'load_info':
        return this.#detail(ModuleDetail.sizeof, type, index, decodeModule);
      case 'nop':
      case 'auto':
        return undefined;
    }
  }

  #text(type: TextArgument['type'], index: number): TextArgument {
    const argument: TextArgument = { type, index, value: this.#string(), truncated: this.#isTruncated() };
    return this.#isUnreadable() ? unreadable(argument) : argument;
  }

  #buffer(type: BufferArgument['type'], index: number): BufferArgument {
    const text = this.#textPlace();
    // The bytes are copied, because the slab is reused.
    const value = text === undefined ? new Uint8Array() : new Uint8Array(this.#slab.bytes(text.at, text.end));
    const size = this.#value.slab.u32(this.#value.at + Value.size);
    const argument: BufferArgument = { type, index, value, size, truncated: this.#isTruncated() };
    return this.#isUnreadable() ? unreadable(argument) : argument;
  }

  #detail<T, R extends HookArgument & MayBeUnreadable>(
    sizeof: number,
    type: T,
    index: number,
    decode: (slab: Slab, at: number, type: T, index: number, isUnreadable: boolean) => R,
  ): R {
    const text = this.#textPlace();
    if (text === undefined || text.end - text.at < sizeof) {
      return unreadable(decode(NO_DETAIL.slab, NO_DETAIL.at, type, index, true));
    }
    const isUnreadable = this.#isUnreadable();
    const argument = decode(this.#slab, text.at, type, index, isUnreadable);
    return isUnreadable ? unreadable(argument) : argument;
  }

  #string(): string {
    const text = this.#textPlace();
    return text === undefined ? '' : this.#slab.text(text.at, text.end - text.at);
  }

  /** The place of the text or detail; undefined if a part of it is not in the record. */
  #textPlace(): { readonly at: number; readonly end: number } | undefined {
    const { slab, at } = this.#value;
    const offset = slab.u32(at + Value.textOffset);
    const end = offset + slab.u16(at + Value.textLength);
    return end <= this.#size ? { at: this.#record + offset, end: this.#record + end } : undefined;
  }

  #isTruncated(): boolean {
    return (this.#flags & TextFlag.TEXT_TRUNCATED) !== 0;
  }

  #isUnreadable(): boolean {
    return (this.#flags & TextFlag.TEXT_FAULT) !== 0;
  }
}

// Members that few arguments have are added to the finished object, so that all other arguments of a type have one
// shape.

function labelled<T extends HookArgument>(argument: T, label: string): T {
  const open: { label?: string } = argument;
  open.label = label;
  return argument;
}

interface MayBeUnreadable {
  readonly unreadable?: true;
}

function unreadable<T extends MayBeUnreadable>(argument: T): T {
  const open: { unreadable?: true } = argument;
  open.unreadable = true;
  return argument;
}

/** In a number of 32-bit programs the bit SYSCALL_COMPAT is set, and no higher bit. */
function systemCall(number: bigint, index: number): SystemCallArgument {
  const type = 'syscall64';
  const host = hostArchitecture();
  const isCompat = number >> 31n === 1n;
  const value = isCompat ? number & ~SYSCALL_COMPAT : number;
  if (isCompat && host === 'arm64') return { type, index, value, abi: 'arm32' };
  const abi = isCompat ? 'i386' : host;
  const name = syscallName(value, abi);
  return name === undefined ? { type, index, value, abi } : { type, index, value, name, abi };
}
