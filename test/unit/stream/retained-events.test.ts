/** Events that a program keeps read the same after their block was given up. */
import assert from 'node:assert/strict';
import type { NativeSource } from '../../../lib/native/binding.js';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock } from '../../../lib/process/clock.js';
import { RecordReader } from '../../../lib/stream/reader.js';
import { RecordLimit } from '../../../lib/wire/layout.gen.js';
import type { TracerEvent } from '../../../types/events.js';
import { exec, exit } from '../wire/records.js';
import { hookRecord, HOOKS, who } from './hook-records.js';

/** Of all sizes: most share a slab, some are larger than one. */
function records(): Buffer[] {
  const made = [exec(who(0), who(1))];
  for (let n = 1; n < 2000; n++) {
    made.push(hookRecord(n, n % 50 === 0 ? 2000 : n % 90));
    if (n % 100 === 0) made.push(exec(who(n), who(0)), exit(who(n), n % 256));
  }
  return made;
}

/** A source like the addon, which begins no record where the longest one might not fit. All blocks count as used. */
class Source implements NativeSource {
  readonly #records: readonly Buffer[];
  #next = 0;
  #watched: object[] = [];

  constructor(records: readonly Buffer[]) {
    this.#records = records;
  }

  drain(slab: Uint8Array, offset: number): number {
    for (; this.#next < this.#records.length && slab.length - offset >= RecordLimit.RECORD_SIZE_MAX; this.#next++) {
      const record = this.#records[this.#next] as Buffer;
      slab.set(record, offset);
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

function readerOf(all: readonly Buffer[]): RecordReader {
  return new RecordReader(new Source(all), new ProcessCache({ nodeName: 'n', clock: new Clock(() => 5n) }), HOOKS);
}

function* eventsOf(reader: RecordReader): Generator<TracerEvent, undefined> {
  for (let events = reader.readEvents(); events !== undefined; events = reader.readEvents()) yield* events;
}

describe('events that are kept', () => {
  it('read the same after their block was given up, also after the last read', () => {
    const all = records();
    const atOnce = Array.from(eventsOf(readerOf(all)), (event) => event.toObject());
    const reader = readerOf(all);
    const kept = [...eventsOf(reader)];
    reader.end();
    assert.ok(kept.length > 2000 && all.reduce((sum, { length }) => sum + length, 0) > 5 * 128 * 1024);
    kept.forEach((event, i) => assert.deepEqual(event.toObject(), atOnce[i]));
  });

  it('read the same when a member was read before and another one is read after', () => {
    const [one, other] = [hookRecord(1, 10), hookRecord(2, 10)];
    const first = exec(who(0), who(1));
    const [, event] = eventsOf(readerOf([first, one]));
    const reader = readerOf([first, one, ...Array.from({ length: 1000 }, () => other)]);
    const [, kept] = reader.readEvents() ?? [];
    assert.ok(kept?.type === 'process_kprobe' && event?.type === 'process_kprobe');
    assert.equal(kept.tid, event.tid);
    while (reader.readEvents() !== undefined);
    assert.deepEqual(kept.toObject(), event.toObject());
  });
});
