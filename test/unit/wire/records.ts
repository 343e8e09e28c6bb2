/** Fake records in the format of the BPF programs. */
import {
  EventExec,
  EventExit,
  EventFork,
  EventHeader,
  EventHook,
  EventType,
  Value,
} from '../../../lib/wire/layout.gen.js';

export interface Who {
  readonly pid: number;
  /** Start time in nanoseconds since boot. */
  readonly start: bigint;
  /** Number of execs. */
  readonly count?: number;
  readonly time?: bigint;
}

function record(type: number, sizeof: number, who: Who, key: number, text = ''): Buffer {
  const tail = Buffer.from(text);
  const bytes = Buffer.alloc((sizeof + tail.length + 7) & ~7);
  bytes.writeUInt32LE(sizeof + tail.length, EventHeader.size);
  bytes.writeUInt16LE(type, EventHeader.type);
  bytes.writeBigUInt64LE(who.time ?? who.start, EventHeader.time);
  bytes.writeUInt32LE(who.pid, key);
  bytes.writeUInt32LE(who.pid, key + 4);
  bytes.writeBigUInt64LE(who.start, key + 8);
  bytes.writeBigUInt64LE(BigInt(who.count ?? 0), key + 16);
  tail.copy(bytes, sizeof);
  return bytes;
}

export function exec(who: Who, parent: Who, binary = `/bin/p${who.pid}`): Buffer {
  const bytes = record(EventType.EVENT_EXEC, EventExec.sizeof, who, EventExec.key, binary);
  bytes.writeUInt32LE(parent.pid, EventExec.parentTgid);
  bytes.writeBigUInt64LE(parent.start, EventExec.parentStartTime);
  bytes.writeUInt32LE(1, EventExec.links);
  for (const ref of [EventExec.filename, EventExec.executable]) {
    bytes.writeUInt32LE(EventExec.sizeof, ref);
    bytes.writeUInt16LE(Buffer.byteLength(binary), ref + 4);
  }
  return bytes;
}

export function fork(who: Who, parent: Who): Buffer {
  const bytes = record(EventType.EVENT_FORK, EventFork.sizeof, who, EventFork.key);
  bytes.writeUInt32LE(parent.pid, EventFork.parentTgid);
  bytes.writeBigUInt64LE(parent.start, EventFork.parentStartTime);
  return bytes;
}

export function exit(who: Who, status = 0): Buffer {
  const bytes = record(EventType.EVENT_EXIT, EventExit.sizeof, who, EventExit.key);
  bytes.writeUInt32LE(status, EventExit.status);
  return bytes;
}

export function hook(who: Who, id: number, values = 0, text = ''): Buffer {
  const bytes = record(EventType.EVENT_HOOK, EventHook.sizeof + values * Value.sizeof, who, EventHook.key, text);
  bytes.writeUInt32LE(id, EventHook.hook);
  bytes.writeBigUInt64LE(1n, EventHook.matched);
  bytes.writeUInt16LE(values, EventHook.valuesCount);
  return bytes;
}
