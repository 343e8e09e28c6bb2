/** Decodes the values of a hook's record into typed arguments. What a record says of itself is not trusted. */
import type { BufferArgument, HookArgument, SystemCallArgument, TextArgument } from '../../../types/events.js';
import type { ValueImage } from '../../image/image.js';
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

/** Where something is; the record of a value that is not in it is one of zeros. */
interface Place {
  readonly slab: Slab;
  readonly at: number;
}

const LARGEST_DETAIL = 128;
const NO_DETAIL: Place = { slab: new Slab(Buffer.alloc(LARGEST_DETAIL)), at: 0 };

function missingValue(): Place {
  const bytes = Buffer.alloc(Value.sizeof);
  bytes.writeUInt16LE(TextFlag.TEXT_FAULT, Value.textFlags);
  bytes.writeInt32LE(-1, Value.fd);
  return { slab: new Slab(bytes), at: 0 };
}

const MISSING = missingValue();

/**
 * `record` is where the record starts, `size` its length, which is inside of the slab; `slot` the value's place in the policy.
 * Undefined of a value that is not told.
 */
export function decodeArgument(
  slab: Slab,
  record: number,
  size: number,
  slot: number,
  image: Pick<ValueImage, 'type' | 'index' | 'label'>,
): HookArgument | undefined {
  return new Decoder(slab, record, size, slot).decode(image);
}

class Decoder {
  readonly #slab: Slab;
  readonly #record: number;
  readonly #size: number;
  /** The struct value. */
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

  decode(image: Pick<ValueImage, 'type' | 'index' | 'label'>): HookArgument | undefined {
    const { type, index, label } = image;
    const common = label === undefined ? { index } : { index, label };
    const { slab, at } = this.#value;
    const number = at + Value.value;
    switch (type) {
      case 'int':
      case 'int32':
      case 'sint32':
        return { type, ...common, value: slab.i32(number) };
      case 'uint32':
        return { type, ...common, value: slab.u32(number) };
      case 'int16':
      case 'sint16':
        return { type, ...common, value: slab.view.getInt16(number, true) };
      case 'uint16':
        return { type, ...common, value: slab.u16(number) };
      case 'int8':
      case 'sint8':
        return { type, ...common, value: slab.view.getInt8(number) };
      case 'uint8':
        return { type, ...common, value: slab.view.getUint8(number) };
      case 'int64':
      case 'sint64':
      case 'long':
        return { type, ...common, value: slab.view.getBigInt64(number, true) };
      case 'uint64':
      case 'ulong':
      case 'size_t':
        return { type, ...common, value: slab.u64(number) };
      case 'bpf_cmd': {
        const value = slab.u32(number);
        return { type, ...common, value, ...named(bpfCommandName(value)) };
      }
      case 'capability': {
        const value = slab.i32(number);
        return { type, ...common, value, ...named(capabilityName(value)) };
      }
      case 'syscall64': {
        return { type, ...common, ...systemCall(slab.u64(number)) };
      }
      case 'kernel_cap_t':
      case 'cap_inheritable':
      case 'cap_permitted':
      case 'cap_effective': {
        const value = slab.u64(number);
        return { type, ...common, value, names: capabilityNames(value) };
      }
      case 'string':
      case 'data_loc':
      case 'filename':
      case 'net_device':
      case 'sockaddr_un':
        return this.#text({ type, ...common });
      case 'char_buf':
      case 'const_buf':
      case 'char_iovec':
      case 'iov_iter':
        return this.#buffer({ type, ...common });
      case 'file':
      case 'path':
      case 'fd':
      case 'dentry':
      case 'linux_binprm':
      case 'kiocb':
        return decodeFile(slab, at, this.#string(), { type, ...common });
      case 'sock':
      case 'socket':
        return this.#detail(NetDetail.sizeof, { type, ...common }, decodeSocket);
      case 'skb':
        return this.#detail(NetDetail.sizeof, { type, ...common }, decodePacket);
      case 'sockaddr':
        return this.#detail(NetDetail.sizeof, { type, ...common }, decodeSocketAddress);
      case 'cred':
        return this.#detail(CredDetail.sizeof, { type, ...common }, decodeCredentials);
      case 'user_namespace':
        return this.#detail(UserNamespaceDetail.sizeof, { type, ...common }, decodeUserNamespace);
      case 'bpf_attr':
      case 'bpf_prog':
        return this.#detail(BpfDetail.sizeof, { type, ...common }, decodeBpfProgram);
      case 'bpf_map':
        return this.#detail(BpfDetail.sizeof, { type, ...common }, decodeBpfMap);
      case 'perf_event':
        return this.#detail(PerfDetail.sizeof, { type, ...common }, decodePerfEvent);
      case 'module':
      case 'load_info':
        return this.#detail(ModuleDetail.sizeof, { type, ...common }, decodeModule);
      case 'nop':
      case 'auto':
        return undefined;
    }
  }

  #text(common: Omit<TextArgument, 'value' | 'truncated' | 'unreadable'>): TextArgument {
    return { ...common, value: this.#string(), truncated: this.#isTruncated(), ...this.#unreadable() };
  }

  #buffer(common: Omit<BufferArgument, 'value' | 'size' | 'truncated' | 'unreadable'>): BufferArgument {
    const text = this.#textPlace();
    // a copy: the slab is used again
    const value = text === undefined ? new Uint8Array() : new Uint8Array(this.#slab.bytes.subarray(text.at, text.end));
    const size = this.#value.slab.u32(this.#value.at + Value.size);
    return { ...common, value, size, truncated: this.#isTruncated(), ...this.#unreadable() };
  }

  #detail<C, R extends HookArgument>(
    sizeof: number,
    common: C,
    decode: (slab: Slab, at: number, common: C & { readonly unreadable?: true }) => R,
  ): R {
    const text = this.#textPlace();
    if (text === undefined || text.end - text.at < sizeof) {
      return decode(NO_DETAIL.slab, NO_DETAIL.at, { ...common, unreadable: true });
    }
    return decode(this.#slab, text.at, { ...common, ...this.#unreadable() });
  }

  #string(): string {
    const text = this.#textPlace();
    return text === undefined ? '' : this.#slab.text(text.at, text.end - text.at);
  }

  /** Where the text or detail is, when all of it is in the record. */
  #textPlace(): { readonly at: number; readonly end: number } | undefined {
    const { slab, at } = this.#value;
    const offset = slab.u32(at + Value.textOffset);
    const end = offset + slab.u16(at + Value.textLength);
    return end <= this.#size ? { at: this.#record + offset, end: this.#record + end } : undefined;
  }

  #isTruncated(): boolean {
    return (this.#flags & TextFlag.TEXT_TRUNCATED) !== 0;
  }

  #unreadable(): { readonly unreadable?: true } {
    return (this.#flags & TextFlag.TEXT_FAULT) !== 0 ? { unreadable: true } : {};
  }
}

function named(name: string | undefined): { readonly name?: string } {
  return name === undefined ? {} : { name };
}

/** A number that 32-bit programs use has that bit, and none above it. */
function systemCall(value: bigint): Pick<SystemCallArgument, 'value' | 'name' | 'abi'> {
  const host = hostArchitecture();
  if (value >> 31n !== 1n) return { value, ...named(syscallName(value, host)), abi: host };
  const own = value & ~SYSCALL_COMPAT;
  if (host === 'arm64') return { value: own, abi: 'arm32' };
  return { value: own, ...named(syscallName(own, 'i386')), abi: 'i386' };
}
