/** Events of each kind, made from records as the tracer makes them. */
import assert from 'node:assert/strict';
import { createHookEvent } from '../../../lib/events/events.js';
import type { CompiledHook } from '../../../lib/compiled/compiled-policy.js';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock } from '../../../lib/process/clock.js';
import { RecordReader } from '../../../lib/stream/reader.js';
import type { EventType, TracerEvent } from '../../../types/events.js';
import { compiledHook, compiledValue, loadedHook } from '../compiled-hooks.js';
import {
  execRecord,
  exitRecord,
  forkRecord,
  hookRecord,
  testProcess,
  throttleRecord,
  type TestProcess,
} from '../wire/records.js';
import { UNWATCHED } from '../stream/fake-session.js';
import { valuesRecord, placeInChunk } from '../wire/decode/values.js';

const child: TestProcess = { ...testProcess(3), count: 0 };

const compileKind = (kind: CompiledHook['kind']): CompiledHook =>
  compiledHook({
    kind,
    args: (['string', 'uint64', 'char_buf', 'file'] as const).map((type, index) => compiledValue(type, { index })),
    returnArg: compiledValue('int64'),
    message: 'seen',
    tags: Object.freeze(['a']),
    tracepoint: { subsystem: 's', event: 'e' },
    program: { path: '/a', symbol: 'f', symbolOffset: 8n },
    usdt: { path: '/a', provider: 'p', name: 'n' },
  });

type ProcessEventType = 'process_exec' | 'process_exit' | 'process_throttle';

/** The kind of hook that makes the events of each type. The other types are made from the records of processes. */
const HOOK_KINDS: Readonly<Record<Exclude<EventType, ProcessEventType | 'change' | 'lost'>, CompiledHook['kind']>> = {
  process_kprobe: 'kprobe',
  process_tracepoint: 'raw_tracepoint',
  process_lsm: 'lsm',
  process_uprobe: 'uprobe',
  process_usdt: 'usdt',
  process_loader: 'loader',
};

/** One event of each type of a tracer except `lost`, of a process with a parent and an ancestor. */
export function createEventsOfAllKinds(): TracerEvent[] {
  const cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 5n) });
  const readEvents = (...records: Buffer[]): TracerEvent[] => {
    const drain = (buffer: Uint8Array, offset: number): number => {
      for (const record of records.splice(0)) {
        buffer.set(record, offset);
        offset += record.length;
      }
      return offset;
    };
    return new RecordReader({ drain, ...UNWATCHED }, cache, new Map()).readEvents() ?? [];
  };
  const records = [
    execRecord(testProcess(1), testProcess(0)),
    execRecord(testProcess(2), testProcess(1)),
    forkRecord(child, testProcess(2)),
    exitRecord(child, 0x100),
    throttleRecord(child, 7n, 'web'),
  ];
  const [, second, exited, throttled] = readEvents(...records);
  const process = cache.findForHook(placeInChunk(hookRecord(child, 9)).chunk, 0).view;
  const hookEvents = Object.values(HOOK_KINDS).map((kind) => {
    const values = [
      { text: 'x' },
      { value: 2n ** 60n },
      { text: '\0\x01' },
      { text: '/etc/x', value: 5n },
      { value: -1n },
    ];
    const { chunk, at } = placeInChunk(valuesRecord(kind === 'loader' ? [values[3] ?? {}] : values));
    const compiled = kind === 'loader' ? { ...compileKind(kind), args: [compiledValue('file')] } : compileKind(kind);
    return createHookEvent(chunk, at, process, loadedHook(compiled));
  });
  const all = [second, exited, ...hookEvents, throttled].filter((event) => event !== undefined);
  const types = all.map(({ type }) => type);
  assert.deepEqual(types, ['process_exec', 'process_exit', ...Object.keys(HOOK_KINDS), 'process_throttle']);
  return all;
}
