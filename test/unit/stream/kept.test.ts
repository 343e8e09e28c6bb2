/** Events that a program keeps: they read the same after the reader has filled its buffer again, and hold little memory. */
import assert from 'node:assert/strict';
import v8 from 'node:v8';
import vm from 'node:vm';
import { newTally, type LoadedHook } from '../../../lib/events/hook.js';
import type { HookImage, ValueImage } from '../../../lib/image/image.js';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock } from '../../../lib/process/clock.js';
import { EventIterator } from '../../../lib/stream/consumer.js';
import { RecordReader } from '../../../lib/stream/reader.js';
import { EventHeader, EventHook, EventType, RecordRoom } from '../../../lib/wire/layout.gen.js';
import type { LostEvent, TracerEvent } from '../../../types/events.js';
import { recordOf } from '../wire/decode/values.js';
import { exec, exit, type Who } from '../wire/records.js';
import { fakeHub, FakeSession } from './fake-session.js';

const HOOK = 8;
const value = (type: ValueImage['type'], index: number): ValueImage => {
  return { index, type, ints: [], texts: {}, net: {}, position: { line: 1, column: 1 } };
};
const image = {
  kind: 'kprobe',
  args: [value('file', 0), value('string', 1), value('char_buf', 2), value('cred', 3), value('int16', 4)],
  data: [value('sock', 0)],
  returnArg: value('int64', 0),
  tags: [],
} as unknown as HookImage;
const loaded = { id: HOOK, policyName: 'p', functionName: 'f', image, tally: newTally() } as LoadedHook;
const HOOKS = new Map([[HOOK, loaded]]);

const who = (n: number): Who => ({ pid: 30_000_000 + n, start: BigInt(n), count: 1 });

/** A record whose values depend on `n`; the text has `length` bytes. */
function hookRecord(n: number, length: number): Buffer {
  const text = String(n).padStart(length, 'é');
  const bytes = recordOf([
    { text: `/srv/${n}`, value: BigInt(n), mode: 0o100644, device: n },
    { text },
    { text: Buffer.alloc(20, n), size: 20 },
    { text: Buffer.alloc(120, n) },
    { value: BigInt(n % 1000) },
    { text: Buffer.alloc(200, n) },
    { value: BigInt(-n) },
  ]);
  const record = Buffer.alloc((bytes.length + 7) & ~7);
  bytes.copy(record);
  record.writeUInt16LE(EventType.EVENT_HOOK, EventHeader.type);
  record.writeBigUInt64LE(BigInt(n), EventHeader.time);
  record.writeUInt32LE(HOOK, EventHook.hook);
  record.writeUInt32LE(1 << (n % 20), EventHook.matched);
  const { pid, start } = who(0);
  record.writeUInt32LE(pid, EventHook.key);
  record.writeUInt32LE(pid + (n % 7), EventHook.key + 4);
  record.writeBigUInt64LE(start, EventHook.key + 8);
  record.writeBigUInt64LE(1n, EventHook.key + 16);
  return record;
}

/** Of all sizes: most share a slab, some are larger than one. */
function records(): Buffer[] {
  const made = [exec(who(0), who(1))];
  for (let n = 1; n < 2000; n++) {
    made.push(hookRecord(n, n % 50 === 0 ? 2000 : n % 90));
    if (n % 100 === 0) made.push(exec(who(n), who(0)), exit(who(n), n % 256));
  }
  return made;
}

/** Like the addon: begins no record where the longest one might not fit. */
function readerOf(all: readonly Buffer[]): RecordReader {
  let next = 0;
  const drain = (slab: Uint8Array, offset: number): number => {
    for (; next < all.length && slab.length - offset >= RecordRoom.RECORD_MAX; next++) {
      const record = all[next] as Buffer;
      slab.set(record, offset);
      offset += record.length;
    }
    return offset;
  };
  return new RecordReader({ drain }, new ProcessCache({ nodeName: 'n', clock: new Clock(() => 5n) }), HOOKS);
}

function* eventsOf(reader: RecordReader): Generator<TracerEvent, undefined> {
  for (let events = reader.read(); events !== undefined; events = reader.read()) yield* events;
}

describe('events that are kept', () => {
  it('read the same after their buffer was filled again, also after the last read', () => {
    const all = records();
    const atOnce = Array.from(eventsOf(readerOf(all)), (event) => event.toObject());
    const reader = readerOf(all);
    const kept = [...eventsOf(reader)];
    reader.release();
    assert.ok(kept.length > 2000 && all.reduce((sum, { length }) => sum + length, 0) > 5 * 128 * 1024);
    kept.forEach((event, i) => assert.deepEqual(event.toObject(), atOnce[i]));
  });

  it('read the same when a member was read before and another one is read after', () => {
    const [one, other] = [hookRecord(1, 10), hookRecord(2, 10)];
    const first = exec(who(0), who(1));
    const [, event] = eventsOf(readerOf([first, one]));
    const reader = readerOf([first, one, ...Array.from({ length: 1000 }, () => other)]);
    const [, kept] = reader.read() ?? [];
    assert.ok(kept?.type === 'process_kprobe' && event?.type === 'process_kprobe');
    assert.equal(kept.tid, event.tid);
    while (reader.read() !== undefined);
    assert.deepEqual(kept.toObject(), event.toObject());
  });

  it('hold at most 4 KB each, before and after they are read: 10,000 of a flood, one of every 50', async function () {
    this.timeout(120_000);
    const KEPT = 10_000;
    const session = new FakeSession();
    const block = Buffer.concat(Array.from({ length: 100 }, (_, n) => hookRecord(n, 10)));
    const size = block.length / 100;
    session.records = [exec(who(0), who(1))];
    const first = session.drain.bind(session);
    session.drain = (slab, offset) => {
      if (session.records.length > 0) return first(slab, offset);
      const count = Math.min(100, Math.floor((slab.length - offset) / size));
      slab.set(block.subarray(0, count * size), offset);
      return offset + count * size;
    };
    const events = new EventIterator(fakeHub(session, 1000, undefined, HOOKS).join({}));
    for (let i = 0; i < 50_000; i++) await events.next();
    const before = await memory();
    const kept: Exclude<TracerEvent, LostEvent>[] = [];
    for (let i = 0; kept.length < KEPT; i++) {
      const { value: event } = await events.next();
      if (event !== undefined && event.type !== 'lost' && i % 50 === 0) kept.push(event);
    }
    const held = ((await memory()) - before) / KEPT;
    assert.ok(held <= 4096, `${held} bytes`);
    for (const event of kept) void event.tid;
    const after = ((await memory()) - before) / KEPT;
    assert.ok(after <= 4096, `${after} bytes after they were read`);
    console.log(`      ${Math.round(held)} bytes, ${Math.round(after)} after they were read`);
    await events.return();
  });
});

v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc') as () => void;

/** All memory of JavaScript: its heap, and what its buffers have outside. */
async function memory(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
