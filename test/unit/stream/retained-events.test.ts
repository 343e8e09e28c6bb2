/** Events that a program retains have the same values after their record chunk was released. */
import assert from 'node:assert/strict';
import type { NativeSource } from '../../../lib/native/binding.js';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock } from '../../../lib/process/clock.js';
import { RecordReader } from '../../../lib/stream/reader.js';
import { RecordLimit } from '../../../lib/wire/layout.gen.js';
import type { TracerEvent } from '../../../types/events.js';
import { execRecord, exitRecord, testProcess } from '../wire/records.js';
import { numberedHookRecord, HOOKS } from './hook-records.js';

/** Makes records of all sizes. Most of them share a chunk, and some are larger than a chunk. */
function makeRecords(): Buffer[] {
  const all = [execRecord(testProcess(0), testProcess(1))];
  for (let n = 1; n < 2000; n++) {
    all.push(numberedHookRecord(n, n % 50 === 0 ? 2000 : n % 90));
    if (n % 100 === 0) all.push(execRecord(testProcess(n), testProcess(0)), exitRecord(testProcess(n), n % 256));
  }
  return all;
}

/** A source like the addon, which begins no record where the longest one might not fit. All buffers count as reachable. */
class FakeSource implements NativeSource {
  readonly #records: readonly Buffer[];
  #next = 0;
  #watched: object[] = [];

  constructor(records: readonly Buffer[]) {
    this.#records = records;
  }

  drain(buffer: Uint8Array, offset: number): number {
    for (; this.#next < this.#records.length && buffer.length - offset >= RecordLimit.RECORD_SIZE_MAX; this.#next++) {
      const record = this.#records[this.#next] as Buffer;
      buffer.set(record, offset);
      offset += record.length;
    }
    return offset;
  }

  track<T extends object>(object: T): T[] {
    const before = this.takeTracked<T>();
    this.#watched = [object];
    return before;
  }

  takeTracked<T extends object>(): T[] {
    return this.#watched.splice(0) as T[];
  }
}

function createReader(all: readonly Buffer[]): RecordReader {
  return new RecordReader(new FakeSource(all), new ProcessCache({ nodeName: 'n', clock: new Clock(() => 5n) }), HOOKS);
}

function* readAllEvents(reader: RecordReader): Generator<TracerEvent, undefined> {
  for (let events = reader.readEvents(); events !== undefined; events = reader.readEvents()) yield* events;
}

describe('retained events', () => {
  it('have the same values after their chunk was released, also after the last read', () => {
    const all = makeRecords();
    const atOnce = Array.from(readAllEvents(createReader(all)), (event) => event.toObject());
    const reader = createReader(all);
    const kept = [...readAllEvents(reader)];
    reader.end();
    assert.ok(kept.length > 2000 && all.reduce((sum, { length }) => sum + length, 0) > 5 * 128 * 1024);
    kept.forEach((event, i) => assert.deepEqual(event.toObject(), atOnce[i]));
  });

  it('have the same values if one member was read before the release, and another is read after it', () => {
    const [one, other] = [numberedHookRecord(1, 10), numberedHookRecord(2, 10)];
    const first = execRecord(testProcess(0), testProcess(1));
    const [, event] = readAllEvents(createReader([first, one]));
    const reader = createReader([first, one, ...Array.from({ length: 1000 }, () => other)]);
    const [, kept] = reader.readEvents() ?? [];
    assert.ok(kept?.type === 'process_kprobe' && event?.type === 'process_kprobe');
    assert.equal(kept.tid, event.tid);
    while (reader.readEvents() !== undefined);
    assert.deepEqual(kept.toObject(), event.toObject());
  });
});
