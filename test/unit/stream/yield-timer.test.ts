/** Under a flood of events, the event loop still runs timers. The fake kernel is faster than every consumer. */
import assert from 'node:assert/strict';
import { BatchIterator, EventIterator } from '../../../lib/stream/consumer.js';
import { fakeHub, FakeSession, eventPid, execRecords } from './fake-session.js';

const PER_READ = 100;

/** A session that always has more records. */
class Flood extends FakeSession {
  readonly #records = execRecords(1, PER_READ);
  override drain(buffer: Uint8Array, offset: number): number {
    this.records = [...this.#records];
    return super.drain(buffer, offset);
  }
}

function spin(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until;);
}

/**
 * Reads events with a consumer that works `workMs` for each event. Returns the longest time that the consumer worked
 * without a turn of the event loop.
 */
async function measureLongestWork(
  events: AsyncIterable<unknown>,
  total: number,
  workMs: (n: number) => number,
): Promise<number> {
  let worked = 0;
  let longest = 0;
  const timer = setInterval(() => (worked = 0), 1);
  let seen = 0;
  for await (const _ of events) {
    const ms = workMs(seen);
    spin(ms);
    longest = Math.max(longest, (worked += ms));
    if (++seen === total) break;
  }
  clearInterval(timer);
  return longest;
}

describe('a flood and the event loop', () => {
  const createIterator = (): EventIterator => new EventIterator(fakeHub(new Flood()).addConsumer({}));

  it('a timer runs while events are read one by one', async () => {
    assert.ok((await measureLongestWork(createIterator(), 10_000, () => 0.02)) < 20);
  });

  it('a timer runs after each event of a very slow consumer', async () => {
    assert.ok((await measureLongestWork(createIterator(), 50, () => 6)) <= 12);
  });

  it('a timer runs soon after a fast consumer has become slow', async () => {
    assert.ok((await measureLongestWork(createIterator(), 5_300, (n) => (n < 5_000 ? 0.001 : 1))) < 80);
  });

  it('a timer runs while batches are read', async () => {
    const batches = new BatchIterator(fakeHub(new Flood()).addConsumer({}));
    assert.ok((await measureLongestWork(batches, 200, () => 2)) < 20);
  });

  it('a timer runs while two iterators read', async () => {
    const hub = fakeHub(new Flood());
    const both = [0, 1].map(() => measureLongestWork(new EventIterator(hub.addConsumer({})), 5_000, () => 0.02));
    for (const longest of await Promise.all(both)) assert.ok(longest < 20);
  });

  it('several pending next() calls still resolve in their order', async () => {
    const it = createIterator();
    const seen: unknown[] = [];
    for (let i = 0; i < 30; i++) {
      spin(1);
      const four = await Promise.all([it.next(), it.next(), it.next(), it.next()]);
      seen.push(...four.map(({ value }) => eventPid(value)));
    }
    assert.deepEqual(
      seen,
      seen.map((_, i) => (i % PER_READ) + 1),
    );
  });

  it('an event that waits for the event loop is dropped when the iterator is closed', async () => {
    const it = createIterator();
    await it.next();
    spin(20);
    const waiting: Promise<unknown>[] = [];
    for (let i = 0; i < 64; i++) waiting.push(it.next());
    await it.return();
    const done = (await Promise.all(waiting)).filter((each) => (each as IteratorResult<unknown>).done === true);
    assert.ok(done.length > 0);
    assert.deepEqual(await it.next(), { value: undefined, done: true });
  });

  it('the first events after a pause are not delayed', async () => {
    async function isDelayed(): Promise<boolean> {
      const session = new FakeSession();
      const it = new EventIterator(fakeHub(session).addConsumer({}));
      const waiting = it.next();
      spin(10);
      session.records = execRecords(1, 1);
      const before = new Promise((resolve) => setImmediate(resolve, 'a turn'));
      session.onReadable();
      return (await Promise.race([before, waiting])) === 'a turn';
    }
    // a busy machine can suspend this process for the time after which an iterator yields
    let attempts = 1;
    while ((await isDelayed()) && attempts < 10) attempts += 1;
    assert.ok(attempts < 10);
  });
});
