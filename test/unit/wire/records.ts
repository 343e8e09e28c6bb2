/** Records in the format of the BPF programs. */
import {
  EventExec,
  EventExit,
  EventFork,
  EventHeader,
  EventHook,
  EventThrottle,
  EventType,
  Value,
} from '../../../lib/wire/layout.gen.js';

export interface TestProcess {
  readonly pid: number;
  /** The start time in nanoseconds since boot. */
  readonly start: bigint;
  /** The number of execs. */
  readonly count?: number;
  readonly time?: bigint;
}

/** Process ids from here on are above the kernel's limit, so no process of this machine has them. */
export const PID_BASE = 10_000_000;

export const testProcess = (n: number): TestProcess => ({ pid: PID_BASE + n, start: BigInt(n), count: 1 });

function makeRecord(type: number, sizeof: number, process: TestProcess, key: number, text = ''): Buffer {
  const tail = Buffer.from(text);
  const bytes = Buffer.alloc((sizeof + tail.length + 7) & ~7);
  bytes.writeUInt32LE(sizeof + tail.length, EventHeader.size);
  bytes.writeUInt16LE(type, EventHeader.type);
  bytes.writeBigUInt64LE(process.time ?? process.start, EventHeader.time);
  bytes.writeUInt32LE(process.pid, key);
  bytes.writeUInt32LE(process.pid, key + 4);
  bytes.writeBigUInt64LE(process.start, key + 8);
  bytes.writeBigUInt64LE(BigInt(process.count ?? 0), key + 16);
  tail.copy(bytes, sizeof);
  return bytes;
}

export function execRecord(process: TestProcess, parent: TestProcess, binary = `/bin/p${process.pid}`): Buffer {
  const bytes = makeRecord(EventType.EVENT_EXEC, EventExec.sizeof, process, EventExec.key, binary);
  bytes.writeUInt32LE(parent.pid, EventExec.parentTgid);
  bytes.writeBigUInt64LE(parent.start, EventExec.parentStartTime);
  bytes.writeUInt32LE(1, EventExec.links);
  for (const ref of [EventExec.filename, EventExec.executable]) {
    bytes.writeUInt32LE(EventExec.sizeof, ref);
    bytes.writeUInt16LE(Buffer.byteLength(binary), ref + 4);
  }
  return bytes;
}

export function forkRecord(process: TestProcess, parent: TestProcess): Buffer {
  const bytes = makeRecord(EventType.EVENT_FORK, EventFork.sizeof, process, EventFork.key);
  bytes.writeUInt32LE(parent.pid, EventFork.parentTgid);
  bytes.writeBigUInt64LE(parent.start, EventFork.parentStartTime);
  return bytes;
}

export function exitRecord(process: TestProcess, status = 0): Buffer {
  const bytes = makeRecord(EventType.EVENT_EXIT, EventExit.sizeof, process, EventExit.key);
  bytes.writeUInt32LE(status, EventExit.status);
  return bytes;
}

export function throttleRecord(process: TestProcess, cgroup: bigint, name: string): Buffer {
  const bytes = makeRecord(EventType.EVENT_THROTTLE, EventThrottle.sizeof, process, EventThrottle.key);
  bytes.writeBigUInt64LE(cgroup, EventThrottle.cgroupId);
  bytes.writeUInt32LE(EventThrottle.nameBytes, EventThrottle.name);
  bytes.writeUInt16LE(Buffer.byteLength(name), EventThrottle.nameLength);
  bytes.write(name, EventThrottle.nameBytes);
  return bytes;
}

export function hookRecord(process: TestProcess, id: number, values = 0, text = ''): Buffer {
  const bytes = makeRecord(
    EventType.EVENT_HOOK,
    EventHook.sizeof + values * Value.sizeof,
    process,
    EventHook.key,
    text,
  );
  bytes.writeUInt32LE(id, EventHook.hook);
  bytes.writeBigUInt64LE(1n, EventHook.matched);
  bytes.writeUInt16LE(values, EventHook.valuesCount);
  return bytes;
}
