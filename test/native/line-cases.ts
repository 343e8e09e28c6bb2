/** Events for the tests of lines: whatever a traced program has chosen. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CompiledHook, CompiledValue } from '../../lib/compiled/compiled-policy.js';
import { createHookEvent } from '../../lib/events/events.js';
import type { LoadedHook } from '../../lib/events/hook.js';
import { ARG_TYPE_NAMES } from '../../lib/names/arg-types.js';
import { ProcessCache } from '../../lib/process/cache.js';
import { Clock } from '../../lib/process/clock.js';
import type { TrackedProcess } from '../../lib/process/process.js';
import { RecordReader } from '../../lib/stream/reader.js';
import { EventExec, EventFlag, EventHeader, EventHook, StringRef } from '../../lib/wire/layout.gen.js';
import { RecordChunk } from '../../lib/wire/record-chunk.js';
import type { TracerEvent } from '../../types/events.js';
import { compiledHook, compiledValue, loadedHook } from '../unit/compiled-hooks.js';
import { placeInChunk, valuesRecord, type RecordValue } from '../unit/wire/decode/values.js';
import { UNWATCHED } from '../unit/stream/fake-session.js';
import { execRecord, testProcess } from '../unit/wire/records.js';

/** Makes processes with a parent and a grandparent. The clock has the offset in nanoseconds. */
export function createProcess(offset = 5n, binary = '/bin/é\udcff"', nodeName = 'n"ö'): TrackedProcess {
  const cache = new ProcessCache({ nodeName, clock: new Clock(() => offset) });
  const add = (n: number, name?: string): TrackedProcess => {
    const record = execRecord(testProcess(n), testProcess(n - 1), name);
    return cache.onExec(RecordChunk.from(record), 0, record.readUInt32LE(EventHeader.size));
  };
  add(1);
  add(2);
  return add(3, binary);
}

export function readRecords(cache: ProcessCache, records: Buffer[]): TracerEvent[] {
  const drain = (buffer: Uint8Array, offset: number): number => {
    let end = offset;
    for (const record of records) {
      buffer.set(record, end);
      end += record.length;
    }
    return end;
  };
  return new RecordReader({ drain, ...UNWATCHED }, cache, new Map()).readEvents() ?? [];
}

export interface Change {
  readonly tid?: number;
  readonly time?: bigint;
  readonly point?: number;
  readonly edit?: (record: Buffer) => void;
}

export function createEvent(
  hook: LoadedHook,
  values: readonly RecordValue[],
  process: TrackedProcess,
  { tid = process.pid, time = 1n, point = 0, edit = () => undefined }: Change = {},
): TracerEvent {
  const record = valuesRecord(values);
  record.writeUInt32LE(tid, EventExec.keyTid);
  record.writeBigUInt64LE(time, EventHeader.time);
  record.writeUInt16LE(point, EventHook.attachPoint);
  edit(record);
  const { chunk, at } = placeInChunk(record);
  const event = createHookEvent(chunk, at, process.view, hook);
  assert(event !== undefined);
  return event;
}

export const fileHook = (more: Partial<CompiledHook> = {}): LoadedHook =>
  loadedHook(compiledHook({ args: [compiledValue('file'), compiledValue('int', { index: 1 })], ...more }));
export const FILE: readonly RecordValue[] = [{ text: '/etc/shadow', value: 5n, mode: 0o100640 }, { value: 4n }];

/** Texts of traced programs: of any bytes, of characters that JSON or a terminal needs escaped, and ordinary ones. */
const texts = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ maxLength: 40 }).map((text) => Buffer.from(text)),
  fc
    .constantFrom('', '/', '/etc/shadow', '\x7f', '\u202e', 'ä', '"', '\\', '\ud800', '}],"args":[{')
    .map((text) => Buffer.from(text)),
);

const numbers = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, -1n, 9n, 10n, 2n ** 31n, -(2n ** 31n), 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n), 2n ** 63n),
);

export const values: fc.Arbitrary<RecordValue> = fc.record(
  {
    value: numbers,
    text: texts,
    flags: fc.constantFrom(0, 0, 0, 1, 2, 4, 8, 16, 32),
    mode: fc.constantFrom(0, 0o100640, 0o100755, 0o40755, 0o106755, 0xffff_ffff),
    magic: fc.constantFrom(0, 0x50495045, 0x09041934),
    offset: fc.constantFrom(2 ** 20),
    size: fc.nat(),
  },
  { requiredKeys: ['value', 'text', 'mode'] },
);

export const args: fc.Arbitrary<CompiledValue> = fc
  .record({ type: fc.constantFrom(...ARG_TYPE_NAMES), label: fc.constantFrom(undefined, 'a label', '7#"') })
  .map(({ type, label }) => compiledValue(type, label === undefined ? {} : { label }));

export const kinds = fc.constantFrom('kprobe', 'fentry', 'lsm', 'raw_tracepoint', 'uprobe', 'usdt' as const);

type HookKind = CompiledHook['kind'];

/** A hook with these values. If it `returns`, the last one is its return value. */
export function hookOf(kind: HookKind, list: readonly CompiledValue[], returns: boolean): LoadedHook {
  const compiled = list.map((value, index) => ({ ...value, index }));
  const returnArg = returns ? compiled.pop() : undefined;
  return fileHook({
    kind,
    args: compiled,
    message: 'M"\u202e',
    tags: ['t', 'ü'],
    tracepoint: { subsystem: 's', event: '"' },
    program: { path: '/ä', symbol: 'f' },
    usdt: { path: '/a', provider: 'p', name: 'n' },
    ...(returnArg && { returnArg }),
  });
}

/** Changes of records that few records have. */
export const RARE_EDITS: Readonly<Record<string, (record: Buffer) => void>> = {
  socketOwner: (record) => record.writeUInt16LE(EventFlag.EVENT_SOCKET_OWNER, EventHeader.flags),
  hash: (record) => record.writeUInt16LE(EventFlag.EVENT_IMA_HASH, EventHeader.flags),
  suppressed: (record) => record.writeUInt32LE(3, EventHook.suppressed),
  kernelStack: (record) => record.writeUInt16LE(8, EventHook.kernelStack + StringRef.length),
  userStack: (record) => record.writeUInt16LE(8, EventHook.userStack + StringRef.length),
  fewerValues: (record) => record.writeUInt16LE(1, EventHook.valuesCount),
  noValues: (record) => record.writeUInt16LE(0, EventHook.valuesCount),
  longString: (record) => record.writeUInt32LE(2 ** 31, EventHook.sizeof + 8),
};

/** A hook that tests a mark. Its events have the list, and are marked with the edit. */
export const MARKED = {
  createHook: (): LoadedHook => fileHook({ markTests: [{ mark: 0, name: 'm', container: true, in: [], notIn: [] }] }),
  // the record ends with the number of marks
  list: [...FILE, { text: 'x'.repeat(16) }],
  edit: (record: Buffer): void => {
    record.writeUInt16LE(EventFlag.EVENT_MARKED, EventHeader.flags);
    record.writeBigUInt64LE(0n, record.readUInt32LE(EventHeader.size) - 8);
  },
} as const;
