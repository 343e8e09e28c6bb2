// Made-up records, and a source that the reader uses instead of a ring buffer.
import type { NativeSource } from '../lib/native/binding.js';
import { layout } from './dist.mjs';

const {
  EventExec,
  EventExit,
  EventHeader,
  EventHook,
  EventType,
  NetDetail,
  ProcessKey,
  RecordLimit,
  StringRef,
  Value,
} = layout;

/** The process and the time of a record. Times are CLOCK_BOOTTIME, in nanoseconds. */
export interface RecordOrigin {
  readonly pid: number;
  readonly startedNs: bigint;
  readonly timeNs: bigint;
}

/** The origin of records that are all equal. No real process has this id. */
const ORIGIN: RecordOrigin = { pid: 4_000_001, startedNs: 999_999_999n, timeNs: 1_000_000_000n };

/** Inode, mode and device of a file, as /etc/shadow has them on many machines. */
const FILE = { inode: 42n, mode: 0o100640, device: (8 << 20) | 1, links: 1 };

class RecordBuilder {
  readonly bytes = Buffer.alloc(1024);
  #end: number;

  /** `fixed` is the size of the fixed part, in bytes. Strings follow it. */
  constructor(type: number, fixed: number, { pid, startedNs, timeNs }: RecordOrigin) {
    this.#end = fixed;
    this.bytes.writeUInt16LE(type, EventHeader.type);
    this.bytes.writeBigUInt64LE(timeNs, EventHeader.time);
    // the key of the process follows the header of every record
    this.bytes.writeUInt32LE(pid, EventExec.key + ProcessKey.tgid);
    this.bytes.writeUInt32LE(pid, EventExec.key + ProcessKey.tid);
    this.bytes.writeBigUInt64LE(startedNs, EventExec.key + ProcessKey.startTime);
    this.bytes.writeBigUInt64LE(1n, EventExec.key + ProcessKey.execCount);
  }

  /** Appends bytes. Returns their offset and length. */
  append(data: string | Buffer): { readonly offset: number; readonly length: number } {
    const bytes = Buffer.from(data);
    const offset = this.#end;
    this.#end += bytes.copy(this.bytes, offset);
    return { offset, length: bytes.length };
  }

  /** The same, with a struct text_ref to it at `ref`. */
  refer(ref: number, data: string | Buffer): void {
    const { offset, length } = this.append(data);
    this.bytes.writeUInt32LE(offset, ref + StringRef.offset);
    this.bytes.writeUInt16LE(length, ref + StringRef.length);
  }

  /** The record, padded to a multiple of eight bytes. */
  finish(): Buffer {
    this.bytes.writeUInt32LE(this.#end, EventHeader.size);
    return this.bytes.subarray(0, (this.#end + 7) & ~7);
  }
}

export interface Executed {
  readonly binary: string;
  readonly cwd: string;
  readonly argv: readonly string[];
  readonly parent?: RecordOrigin | undefined;
}

const CAT: Executed = { binary: '/usr/bin/cat', cwd: '/root', argv: ['cat', '/etc/shadow'] };

export function execRecord({ binary, cwd, argv, parent }: Executed = CAT, origin = ORIGIN): Buffer {
  const record = new RecordBuilder(EventType.EVENT_EXEC, EventExec.sizeof, origin);
  if (parent !== undefined) {
    record.bytes.writeUInt32LE(parent.pid, EventExec.parentTgid);
    record.bytes.writeBigUInt64LE(parent.startedNs, EventExec.parentStartTime);
  }
  record.refer(EventExec.filename, binary);
  record.refer(EventExec.executable, binary);
  record.refer(EventExec.cwd, cwd);
  const { offset, length } = record.append(argv.map((text) => `${text}\0`).join(''));
  record.bytes.writeUInt32LE(offset, EventExec.argvOffset);
  record.bytes.writeUInt32LE(length, EventExec.argvLength);
  record.bytes.writeUInt32LE(FILE.links, EventExec.links);
  return record.finish();
}

/** The end of a process, with the exit code 0. */
export function exitRecord(origin = ORIGIN): Buffer {
  return new RecordBuilder(EventType.EVENT_EXIT, EventExit.sizeof, origin).finish();
}

function hookRecord(hook: number, values: number, origin = ORIGIN): RecordBuilder {
  const record = new RecordBuilder(EventType.EVENT_HOOK, EventHook.sizeof + values * Value.sizeof, origin);
  record.bytes.writeUInt32LE(hook, EventHook.hook);
  record.bytes.writeBigUInt64LE(1n, EventHook.matched);
  record.bytes.writeUInt16LE(values, EventHook.valuesCount);
  return record;
}

/**
 * A read of a file, as security_file_permission reports it: a file, the number 4, and zeros for further values.
 */
export function fileRecord(hook: number, values: number, path = '/etc/shadow', origin = ORIGIN): Buffer {
  const record = hookRecord(hook, values, origin);
  const [file, mask] = [EventHook.sizeof, EventHook.sizeof + Value.sizeof];
  record.refer(file + Value.string, path);
  record.bytes.writeBigUInt64LE(FILE.inode, file + Value.value);
  record.bytes.writeUInt32LE(FILE.mode, file + Value.mode);
  record.bytes.writeUInt32LE(FILE.device, file + Value.device);
  record.bytes.writeUInt32LE(FILE.links, file + Value.links);
  record.bytes.writeBigUInt64LE(4n, mask + Value.value);
  return record.finish();
}

/** A connection, as tcp_connect reports it: a TCP socket over IPv4, and zeros for further values. */
export function socketRecord(hook: number, values: number): Buffer {
  const detail = Buffer.alloc(NetDetail.sizeof);
  detail.writeUInt32LE(2, NetDetail.family); // AF_INET
  detail.writeUInt32LE(1, NetDetail.type); // SOCK_STREAM
  detail.writeUInt32LE(6, NetDetail.protocol); // IPPROTO_TCP
  detail.writeUInt32LE(2, NetDetail.state); // TCP_SYN_SENT
  detail.writeUInt32LE(40_000, NetDetail.sourcePort);
  detail.writeUInt32LE(443, NetDetail.destinationPort);
  detail.set([10, 0, 0, 1], NetDetail.source);
  detail.set([192, 0, 2, 7], NetDetail.destination);
  detail.writeBigUInt64LE(7n, NetDetail.cookie);
  const record = hookRecord(hook, values);
  record.refer(EventHook.sizeof + Value.string, detail);
  return record.finish();
}

/** Size of a record chunk of the reader. */
const BUFFER_BYTES = 512 * 1024;

/** Records one after the other. Making them costs more than reading them, so all sources of the same records share them. */
interface RecordCycle {
  readonly bytes: Buffer;
  /** Offset of the end of each record. */
  readonly ends: readonly number[];
}

const madeCycles = new WeakMap<readonly Buffer[], RecordCycle>();

/** Short cycles are repeated until they fill a chunk, so that one copy fills it and the source costs almost nothing. */
function makeCycle(records: readonly Buffer[]): RecordCycle {
  const once = Buffer.concat(records);
  const times = Math.max(1, Math.floor(BUFFER_BYTES / once.length));
  let end = 0;
  return {
    bytes: Buffer.concat(Array.from({ length: times }, () => once)),
    ends: Array.from({ length: times }, () => records.map(({ length }) => (end += length))).flat(),
  };
}

/** Repeats the records until `total` of them have been read. */
export class RecordSource implements Pick<NativeSource, 'drain'> {
  readonly #buffer: Buffer;
  /** Offset of the end of each record in the buffer. */
  readonly #ends: readonly number[];
  /** Number of records before the next one in the buffer. */
  #next = 0;
  #remaining: number;

  constructor(records: readonly Buffer[], total: number) {
    let cycle = madeCycles.get(records);
    if (cycle === undefined) madeCycles.set(records, (cycle = makeCycle(records)));
    this.#buffer = cycle.bytes;
    this.#ends = cycle.ends;
    this.#remaining = total;
  }

  /** Number of records that have not been read. */
  unreadRecords(): number {
    return this.#remaining;
  }

  drain(chunk: Uint8Array, offset: number): number {
    // like the addon, which starts a record only where the longest record fits
    const space = chunk.length - offset - RecordLimit.RECORD_SIZE_MAX;
    if (space < 0 || this.#remaining === 0) return offset;
    if (this.#next === this.#ends.length) this.#next = 0;
    const from = this.#ends[this.#next - 1] ?? 0;
    const last = Math.min(this.#countWithin(from + space) + 1, this.#ends.length, this.#next + this.#remaining);
    const to = this.#ends[last - 1] as number;
    chunk.set(this.#buffer.subarray(from, to), offset);
    this.#remaining -= last - this.#next;
    this.#next = last;
    return offset + to - from;
  }

  /** Number of complete records in the first bytes of the buffer. */
  #countWithin(bytes: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] as number) <= bytes) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
