/** Reads the marks of an event, and the events that have set them. */
import type { MarkCause } from '../../types/events.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { formatTime } from '../process/clock.js';
import type { TrackedProcess } from '../process/process.js';
import { decodeSocket, decodeSocketAddress } from '../wire/decode/details.js';
import {
  AbiLimit,
  EventFlag,
  EventHeader,
  EventHook,
  ImaHash,
  MarkCause as Layout,
  MarkCauseFlag,
} from '../wire/layout.gen.js';
import { ValueRead } from '../names/abi.gen.js';
import { formatEndpoint } from '../names/endpoint.js';
import type { RecordChunk } from '../wire/record-chunk.js';

const COUNT_BYTES = 8;

/** Returns undefined if the record has none. `process`: that of the event. */
export function readMarks(
  chunk: RecordChunk,
  at: number,
  hook: CompiledHook,
  process: TrackedProcess,
): readonly MarkCause[] | undefined {
  const flags = chunk.u16(at + EventHeader.flags);
  if ((flags & EventFlag.EVENT_MARKED) === 0) return undefined;
  const hash = (flags & EventFlag.EVENT_IMA_HASH) === 0 ? 0 : ImaHash.sizeof;
  const end = chunk.u32(at + EventHeader.size) - hash - COUNT_BYTES;
  if (end < EventHook.sizeof) return undefined;
  const count = Math.min(chunk.u32(at + end), AbiLimit.MARKS_REPORTED);
  const first = end - count * Layout.sizeof;
  if (first < EventHook.sizeof) return undefined;
  const time = chunk.u64(at + EventHeader.time);
  return Array.from({ length: count }, (_, i) =>
    readMark(chunk, at + first + i * Layout.sizeof, { hook, time, process }),
  );
}

interface MarkedEvent {
  readonly hook: CompiledHook;
  /** CLOCK_BOOTTIME of the event. */
  readonly time: bigint;
  readonly process: TrackedProcess;
}

function readMark(chunk: RecordChunk, at: number, { hook, time, process }: MarkedEvent): MarkCause {
  const flags = chunk.u16(at + Layout.flags);
  const test = hook.markTests?.[chunk.u16(at + Layout.test)];
  const isUnknown = (flags & MarkCauseFlag.MARK_CAUSE_UNKNOWN) !== 0;
  const isOfContainer = test?.container === true && (isUnknown || (flags & MarkCauseFlag.MARK_IN_CONTAINER) !== 0);
  const mark: Writable<MarkCause> = {
    mark: test?.name ?? '',
    // a process in no container has a mark of its own, also with the scope `container`
    scope: isOfContainer ? 'container' : 'process',
  };
  if (!isUnknown) mark.cause = readCause(chunk, at, time, process);
  return mark;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Cause = NonNullable<MarkCause['cause']>;

/** `time` is that of the event whose process is marked. */
function readCause(chunk: RecordChunk, at: number, time: bigint, process: TrackedProcess): Cause {
  const since = chunk.u64(at + Layout.time);
  const timeNs = process.context.clock.toEpoch(since);
  const cause: Writable<Cause> = {
    time: formatTime(timeNs),
    timeNs,
    // the event may have begun before the mark was set: its filters ran afterwards
    ageNs: time > since ? time - since : 0n,
    pid: chunk.u32(at + Layout.keyTgid),
    command: readText(chunk, at + Layout.command, Layout.commandLength),
    functionName: readText(chunk, at + Layout.function, Layout.functionLength),
  };
  const execId = findExec(process, chunk, at)?.execId;
  if (execId !== undefined) cause.execId = execId;
  const argument = readArgument(
    chunk,
    at,
    (chunk.u16(at + Layout.flags) & MarkCauseFlag.MARK_ARGUMENT_TRUNCATED) !== 0,
  );
  if (argument !== undefined) cause.argument = argument;
  return cause;
}

/** Finds the exec that set a mark: of this process, of an ancestor, or of what they have executed before. */
function findExec(process: TrackedProcess, chunk: RecordChunk, at: number): TrackedProcess | undefined {
  const pid = chunk.u32(at + Layout.keyTgid);
  const [low, high] = [chunk.u32(at + Layout.keyStartTime), chunk.u32(at + Layout.keyStartTime + 4)];
  const count = chunk.u32(at + Layout.keyExecCount);
  for (let above: TrackedProcess | undefined = process; above !== undefined; above = above.parentProcess) {
    if (above.pid !== pid || !above.hasStartTime(low, high)) continue;
    for (let exec: TrackedProcess | undefined = above; exec !== undefined; exec = exec.formerProcess) {
      if (exec.execCount === count) return exec;
    }
  }
  return undefined;
}

/** Reads a text that ends with a NUL, or with its field. */
function readText(chunk: RecordChunk, at: number, length: number): string {
  const bytes = chunk.bytes(at, at + length);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? length : end);
}

/** Undefined for an argument that is neither a number, a text, a path nor an address. */
function readArgument(chunk: RecordChunk, at: number, isTruncated: boolean): string | undefined {
  const read = chunk.bytes(at + Layout.read, at + Layout.read + 1)[0] as number;
  const text = at + Layout.argument;
  if (read === ValueRead.READ_SCALAR) {
    const value = chunk.u64(at + Layout.value);
    return String(
      chunk.bytes(at + Layout.isSigned, at + Layout.isSigned + 1)[0] === 1 ? BigInt.asIntN(64, value) : value,
    );
  }
  if (read >= ValueRead.READ_STRING && read < ValueRead.READ_SOCK) {
    const length = Math.min(chunk.u16(at + Layout.length), Layout.argumentLength);
    return chunk.bytes(text, text + length).toString('utf8') + (isTruncated ? '…' : '');
  }
  if (chunk.u16(at + Layout.length) === 0) return undefined;
  if (read === ValueRead.READ_SOCKADDR) {
    const { address, port } = decodeSocketAddress(chunk, text, 'sockaddr', 0);
    return formatEndpoint(address, port);
  }
  if (read !== ValueRead.READ_SOCK && read !== ValueRead.READ_SOCKET) return undefined;
  const { destinationAddress, destinationPort } = decodeSocket(chunk, text, 'sock', 0);
  return formatEndpoint(destinationAddress, destinationPort);
}
