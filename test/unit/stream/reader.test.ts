/** The record reader, with a source that has more records than one array of events can hold. */
import assert from 'node:assert/strict';
import type { NativeSource } from '../../../lib/native/binding.js';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock } from '../../../lib/process/clock.js';
import { RecordReader } from '../../../lib/stream/reader.js';
import { RecordLimit } from '../../../lib/wire/layout.gen.js';
import { execRecord } from '../wire/records.js';
import { UNWATCHED } from './fake-session.js';

const KIB = 1024;
const RECORDS = 5000;

describe('record reader', () => {
  const record = execRecord({ pid: 10_000_001, start: 1n, count: 1 }, { pid: 10_000_000, start: 0n });

  function createSource(total: number): NativeSource {
    let left = total;
    return {
      ...UNWATCHED,
      // Like the addon, this starts no record where the longest record might not fit.
      drain(buffer: Uint8Array, offset: number): number {
        while (left > 0 && buffer.length - offset >= RecordLimit.RECORD_SIZE_MAX) {
          buffer.set(record, offset);
          offset += record.length;
          left--;
        }
        return offset;
      },
    };
  }

  it('reads at most 64 KiB of records into one array, and misses no record', () => {
    const cache = new ProcessCache({ nodeName: 'n', clock: new Clock(() => 0n) });
    let drained = 0;
    const reader = new RecordReader(createSource(RECORDS), cache, new Map(), () => drained++);
    const lengths: number[] = [];
    for (let events = reader.readEvents(); events !== undefined; events = reader.readEvents())
      lengths.push(events.length);
    assert.equal(
      lengths.reduce((sum, length) => sum + length, 0),
      RECORDS,
    );
    assert.ok(Math.max(...lengths) <= (64 * KIB) / record.length + 1, `arrays of ${lengths.join(', ')} events`);
    assert.equal(drained, lengths.length + 1, 'losses are asked for at each read');
  });
});
