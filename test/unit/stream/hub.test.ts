/** The event stream, with a fake session instead of a kernel. */
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import v8 from 'node:v8';
import vm from 'node:vm';
import { decodeLosses } from '../../../lib/native/records.js';
import { BatchIterator, EventIterator } from '../../../lib/stream/consumer.js';
import type { Hub } from '../../../lib/stream/hub.js';
import { checkEventsOptions, resolveOptions } from '../../../lib/tracer/options.js';
import { RecordLimit, SensorHook } from '../../../lib/wire/layout.gen.js';
import type { TracerEvent } from '../../../types/events.js';
import type { EventsOptions } from '../../../types/tracer.js';
import { fakeHub, FakeSession, eventPid, execRecords } from './fake-session.js';

describe('hub and iterators', () => {
  let session: FakeSession;
  let hub: Hub;
  let empties: number;
  beforeEach(() => openHub(1000));

  function openHub(maxQueued: number): void {
    session = new FakeSession();
    empties = 0;
    hub = fakeHub(session, { maxQueued, onEmpty: () => empties++ });
  }
  const addIterator = (options: EventsOptions = {}): EventIterator => new EventIterator(hub.addConsumer(options));
  const nextPid = async (it: EventIterator): Promise<unknown> => eventPid((await it.next()).value);

  it('keeps the event loop alive only while an iterator waits', async () => {
    const it = addIterator();
    assert.equal(session.active, false);
    const waiting = it.next();
    assert.equal(session.active, true);
    assert.equal(session.arms, 1);
    session.records = execRecords(1, 2);
    session.onReadable();
    assert.equal(eventPid((await waiting).value), 1);
    assert.equal(session.active, false);
    assert.equal(await nextPid(it), 2);
  });

  it('several pending next() calls resolve in their order', async () => {
    const it = addIterator();
    const waiting = [it.next(), it.next(), it.next()];
    session.records = execRecords(1, 2);
    session.onReadable();
    session.records = execRecords(3, 1);
    assert.deepEqual(
      (await Promise.all(waiting)).map((each) => eventPid(each.value)),
      [1, 2, 3],
    );
  });

  it('losses of a slow iterator are exact, and come in the order of the lost events', async () => {
    openHub(5);
    const [slow, fast] = [addIterator(), addIterator()];
    for (let from = 1; from <= 13; from += 4) {
      session.records = execRecords(from, 4);
      for (let i = 0; i < 4; i++) assert.equal(await nextPid(fast), from + i);
    }
    const seen: unknown[] = [];
    for (let i = 0; i < 5; i++) seen.push(await nextPid(slow));
    session.records = execRecords(17, 1);
    seen.push(await nextPid(slow));
    assert.deepEqual(seen, [1, 2, 3, 4, 'lost 12', 17]);
    assert.deepEqual(hub.losses, [{ hook: 'process_exec', policyName: '', reason: 'slow_consumer', count: 12 }]);
  });

  it('losses come before later events, even if the queue is never empty', async () => {
    openHub(5);
    const slow = new BatchIterator(hub.addConsumer({}));
    const fast = addIterator();
    session.records = execRecords(1, 3);
    await nextPid(fast);
    session.records = execRecords(4, 2);
    for (let i = 0; i < 3; i++) await nextPid(fast);
    session.records = execRecords(6, 1);
    for (let i = 0; i < 2; i++) await nextPid(fast);
    const nextBatchPids = async (): Promise<unknown[]> =>
      (((await slow.next()).value ?? []) as TracerEvent[]).map(eventPid);
    assert.deepEqual(await nextBatchPids(), [1, 2, 3]);
    session.records = execRecords(7, 2);
    await nextPid(fast);
    assert.deepEqual(await nextBatchPids(), [4, 5]);
    assert.deepEqual(await nextBatchPids(), ['lost 1', 7, 8]);
  });

  it("the kernel's losses come with the records, and stats contain them without a reader", async () => {
    session.losses = decodeLosses([0, 7, 0, 0]);
    hub.updateLosses();
    assert.equal(hub.losses[0]?.count, 7);
    session.losses = decodeLosses([0, 2, 0, 0, 3, 0, 4, 0]);
    session.records = execRecords(1, 1);
    const it = addIterator();
    const seen = [await nextPid(it), await nextPid(it), await nextPid(it), await nextPid(it)];
    assert.deepEqual(seen, [1, 'lost 7', 'lost 2', 'lost 4']);
    assert.deepEqual(
      hub.losses.map((l) => [l.hook, l.reason, l.count]),
      [
        ['process_exec', 'ring_full', 9],
        ['binary_sets', 'process_table_full', 4],
      ],
    );
  });

  it('a full table of a session that is closed is not swept', () => {
    session.losses = [{ hook: SensorHook.HOOK_FIRST_POLICY, ring: 0, pending: 1, unreturned: 0 }];
    session.sweepPending = () => {
      throw new Error('the session is closed');
    };
    hub.refreshLosses();
    assert.equal(hub.losses.length, 1);
  });

  it('a ring buffer with a record that is being written is not empty', async () => {
    const it = addIterator();
    session.busy = 1;
    void it.next();
    assert.equal(empties, 0);
    session.busy = 0;
    void it.next();
    assert.equal(empties, 1);
    await it.return();
  });

  it('an iterator that waits gets the last events also when another one has read them', async () => {
    const [first, second] = [new BatchIterator(hub.addConsumer({})), new BatchIterator(hub.addConsumer({}))];
    const waiting = first.next();
    const { arms } = session;
    session.records = execRecords(1, 2);
    assert.deepEqual((await second.next()).value?.map(eventPid), [1, 2]);
    assert.deepEqual((await waiting).value?.map(eventPid), [1, 2]);
    // the waiter in the addon may have been woken by a record that was read before it looked
    const more = first.next();
    assert.equal(session.arms, arms + 1);
    session.records = execRecords(3, 1);
    session.onReadable();
    assert.deepEqual((await more).value?.map(eventPid), [3]);
  });

  it('a record without a wake-up of the reader is found soon, even if it appears late', async () => {
    const it = addIterator();
    const waiting = it.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const second = new Promise((resolve) => setTimeout(resolve, 900, 'a second later'));
    session.records = execRecords(1, 1);
    assert.equal(await Promise.race([waiting.then(({ value }) => eventPid(value)), second]), 1);
  });

  it('end() delivers the remaining events, then ends every iterator; an abort signal drops fetched events', async () => {
    const controller = new AbortController();
    const [kept, aborted] = [addIterator(), addIterator({ signal: controller.signal })];
    session.records = execRecords(1, 3);
    assert.equal(await nextPid(aborted), 1);
    controller.abort();
    assert.equal((await aborted.next()).done, true);
    session.records = execRecords(4, 1);
    void hub.end(false);
    assert.deepEqual(
      [await nextPid(kept), await nextPid(kept), await nextPid(kept), await nextPid(kept)],
      [1, 2, 3, 4],
    );
    assert.equal((await kept.next()).done, true);
    assert.equal(hub.consumers, 0);
    assert.equal(session.active, false);
  });

  it('a filtered iterator receives its types, and every loss', async () => {
    const it = addIterator({ types: ['process_exit'] });
    session.records = execRecords(1, 3);
    session.losses = decodeLosses([1, 5, 0, 0]);
    assert.equal(await nextPid(it), 'lost 5');
    await it.return();
    assert.equal(hub.consumers, 0);
  });

  it('an unreachable iterator is released, unless it waits', async () => {
    v8.setFlagsFromString('--expose-gc');
    const collect = vm.runInNewContext('gc') as () => void;
    (() => {
      addIterator();
      new BatchIterator(hub.addConsumer({}));
    })();
    const waiting = addIterator().next();
    assert.equal(hub.consumers, 3);
    for (let i = 0; i < 1000 && hub.consumers > 1; i++) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(hub.consumers, 1);
    session.records = execRecords(1, 1);
    session.onReadable();
    assert.equal(eventPid((await waiting).value), 1);
  });
});

describe('pauses between reads', () => {
  let now: number;
  let session: FakeSession;
  let events: BatchIterator;
  beforeEach(() => {
    now = 1000;
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.method(performance, 'now', () => now);
  });
  afterEach(() => {
    mock.timers.reset();
    mock.restoreAll();
  });

  /** Opens an iterator that waits for its first event. */
  function openEvents(coalesceMs: number, bufferSize = 2 ** 26, polls = false): Hub {
    session = new FakeSession();
    const hub = fakeHub(session, { coalesceMs, bufferSize, polls });
    events = new BatchIterator(hub.addConsumer({}));
    return hub;
  }

  /** With `perMs` new events in each millisecond, returns the milliseconds until the iterator has events. */
  async function measurePause(perMs: number): Promise<number> {
    const next = events.next();
    await turn();
    for (let ms = 1; ms < 1000; ms += 1) {
      session.records.push(...execRecords(1, Math.floor(ms * perMs) - Math.floor((ms - 1) * perMs)));
      now += 1;
      mock.timers.tick(1);
      if (session.arms > 0 && session.records.length > 0) session.onReadable();
      if (session.records.length > 0 || ms * perMs < 1) continue;
      await next;
      return ms;
    }
    throw new Error('nothing was read');
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  /** Takes pauses up to the one of 16 ms. */
  async function growPauses(): Promise<void> {
    await measurePause(1);
    session.arms = 0;
    for (let i = 0; i < 5; i += 1) await measurePause(1);
  }

  it('grow while many events come, up to the limit, and no program wakes the reader meanwhile', async () => {
    openEvents(20);
    assert.equal(await measurePause(1), 1);
    assert.equal(session.arms, 1);
    session.arms = 0;
    const pauses: number[] = [];
    for (let i = 0; i < 7; i += 1) pauses.push(await measurePause(1));
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 20, 20]);
    assert.equal(session.arms, 0);
  });

  it('do not delay an event if few events come', async () => {
    openEvents(20);
    for (let i = 0; i < 5; i += 1) {
      assert.equal(await measurePause(1 / 8), 8);
      assert.equal(session.arms, i + 1);
    }
  });

  it('are long if events come at a lower rate that lasts, and not after a few', async () => {
    openEvents(50);
    const pauses: number[] = [];
    // 100 events a second
    for (let i = 0; i < 12; i += 1) {
      session.arms = 0;
      pauses.push(await measurePause(1 / 10));
    }
    assert.deepEqual(pauses, [...Array<number>(9).fill(10), 50, 50, 50]);
    const next = events.next();
    await turn();
    for (; session.arms === 0; now += 1) mock.timers.tick(1);
    session.records = execRecords(1, 1);
    session.onReadable();
    assert.equal((await next).value?.length, 1, 'after a rest');
  });

  it('have all the same length if no event is urgent; the reader can end one', async () => {
    const hub = openEvents(20, 2 ** 26, true);
    for (const perMs of [1 / 8, 1, 1 / 8]) assert.equal(await measurePause(perMs), 20);
    const next = events.next();
    await turn();
    session.records = execRecords(1, 1);
    hub.readNow();
    assert.equal((await next).value?.length, 1);
    assert.equal(session.arms, 0);
  });

  it('shrink when fewer events come, until a program wakes the reader again', async () => {
    openEvents(20);
    for (let i = 0; i < 5; i += 1) await measurePause(1);
    session.arms = 0;
    const next = events.next();
    await turn();
    let elapsed = 0;
    for (; session.arms === 0; elapsed += 1) {
      now += 1;
      mock.timers.tick(1);
    }
    assert.equal(elapsed, 16 + 8 + 4 + 2 + 1);
    session.records = execRecords(1, 1);
    session.onReadable();
    assert.equal((await next).value?.length, 1);
  });

  it('are not ended by events that come while the last ones are used: one read for each pause', async () => {
    openEvents(20);
    await growPauses();
    // the consumer needs 3 ms for the last events
    now += 3;
    session.records = execRecords(1, 3);
    const drains = mock.method(session, 'drain').mock;
    const next = events.next();
    await turn();
    assert.equal(drains.callCount(), 0);
    now += 16;
    mock.timers.tick(16);
    assert.equal(drains.callCount(), 0);
    // 20 ms after the last read
    now += 1;
    mock.timers.tick(1);
    assert.equal((await next).value?.length, 3);
    assert.equal(drains.callCount(), 1);
  });

  it('do not delay events for a consumer that took longer than a pause', async () => {
    openEvents(20);
    await growPauses();
    now += 100;
    session.records = execRecords(1, 3);
    assert.equal((await events.next()).value?.length, 3);
  });

  it('keep what is called when the ring buffer is empty: a read that left nothing is enough', async () => {
    let emptied = 0;
    session = new FakeSession();
    const hub = fakeHub(session, { coalesceMs: 20, onEmpty: () => (emptied += 1) });
    events = new BatchIterator(hub.addConsumer({}));
    session.records = execRecords(1, 3);
    await events.next();
    assert.equal(emptied, 1);
    session.records = execRecords(1, 3);
    session.busy = 1;
    await events.next();
    assert.equal(emptied, 1);
  });

  it('are shorter for a small ring buffer, and do not exist with `coalesceMs: 0`', async () => {
    for (const [coalesceMs, bufferSize, pause] of [
      [50, 2 ** 21, 2],
      [50, 2 ** 17, 1],
      [0, 2 ** 26, 1],
    ] as const) {
      openEvents(coalesceMs, bufferSize);
      for (let i = 0; i < 5; i += 1) await measurePause(1);
      session.arms = 0;
      assert.equal(await measurePause(1), pause);
      assert.equal(session.arms, pause === 1 ? 1 : 0);
    }
  });
});

describe('options', () => {
  const bad: readonly object[] = [
    { unknown: 1 },
    { policies: 'x' },
    { attach: '' },
    { bufferSize: 2 ** 16 },
    { bufferSize: 2 ** 17 + 1 },
    { bufferSize: 2 ** 31 },
    { bufferSize: '65536' },
    { coalesceMs: Number.NaN },
    { maxQueued: 0 },
    { includeSelf: 1 },
    { nodeName: '' },
    { takeOver: false },
    { takeOver: 0, persist: '/sys/fs/bpf/x' },
  ];
  for (const options of bad) {
    it(JSON.stringify(options), () => assert.throws(() => resolveOptions(options), { code: 'BAD_OPTION' }));
  }
  it('the smallest buffer can hold the longest record and its header in the ring', () => {
    const { bufferSize } = resolveOptions({ bufferSize: 2 ** 17 });
    assert.ok(bufferSize >= RecordLimit.RECORD_SIZE_MAX + 8 && bufferSize / 2 < RecordLimit.RECORD_SIZE_MAX);
    assert.throws(() => resolveOptions({ bufferSize: 2 ** 16 }), { hint: /131072 \(128 KiB\).*101832 bytes/ });
  });
  it('defaults', () => {
    const { attach, bufferSize, coalesceMs, includeSelf, maxQueued } = resolveOptions({ nodeName: 'n' });
    assert.deepEqual([attach, bufferSize, coalesceMs, includeSelf, maxQueued], ['auto', 2 ** 26, 20, false, 65536]);
  });
  it('of iterators', () => {
    checkEventsOptions({ types: ['lost'], policyNames: ['a'], signal: AbortSignal.abort() });
    assert.throws(() => checkEventsOptions({ types: ['x'] } as object), { code: 'BAD_OPTION' });
  });
});
