/** Events that a program keeps hold little memory. The addon finds the blocks of records that are in use. */
import assert from 'node:assert/strict';
import v8 from 'node:v8';
import vm from 'node:vm';
import { loadBinding } from '../../lib/native/binding.js';
import { EventIterator } from '../../lib/stream/consumer.js';
import type { TracerEvent } from '../../types/events.js';
import { FakeSession, fakeHub } from '../unit/stream/fake-session.js';
import { hookRecord, HOOKS, who } from '../unit/stream/hook-records.js';
import { exec } from '../unit/wire/records.js';

const KEPT = 10_000;
/** One of so many events is kept. */
const EVERY = 50;

/** A session that always has more records. The addon watches the blocks. */
class Flood extends FakeSession {
  readonly addon = loadBinding().createSession();
  override watch = <T extends object>(object: T): T[] => this.addon.watch(object);
  override watched = <T extends object>(): T[] => this.addon.watched<T>();
  readonly #block = Buffer.concat(Array.from({ length: 1000 }, (_, n) => hookRecord(n, 10)));
  #isFirst = true;

  override drain(slab: Uint8Array, offset: number): number {
    const first = this.#isFirst ? exec(who(0), who(1)) : Buffer.alloc(0);
    this.#isFirst = false;
    slab.set(first, offset);
    const size = this.#block.length / 1000;
    const bytes = size * Math.min(1000, Math.floor((slab.length - offset - first.length) / size));
    slab.set(this.#block.subarray(0, bytes), offset + first.length);
    return offset + first.length + bytes;
  }
}

describe('events that are kept', function () {
  this.timeout(120_000);

  it(`hold at most 4 KB each: ${KEPT} of a flood, one of every ${EVERY}`, async () => {
    const session = new Flood();
    const events = new EventIterator(fakeHub(session, 1000, undefined, HOOKS).join({}));
    const read = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await events.next();
    };
    await read(50_000);
    const before = await memory();
    const kept: TracerEvent[] = [];
    while (kept.length < KEPT) {
      const { value: event } = await events.next();
      if (event !== undefined) kept.push(event);
      await read(EVERY - 1);
    }
    collect();
    await read(5_000);
    const held = ((await memory()) - before) / KEPT;
    console.log(`      ${Math.round(held)} bytes`);
    assert.ok(held <= 4096, `${held} bytes`);
    assert.ok(held > 500, `${held} bytes: its record is longer`);
    assert.ok(kept.every((event) => event.type === 'process_kprobe' && event.args.length === 5));
    await events.return();
    await session.addon.close();
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
