/** Events that wait for the names of containers. */
import assert from 'node:assert/strict';
import { BatchIterator } from '../../../lib/stream/consumer.js';
import { FakeSession, fakeHub, eventPid, execRecords } from './fake-session.js';

/** Waits for names until a test sets `isWaiting` to false. */
class FakeNames {
  isWaiting = true;
  left = 60_000;
  gaveUp = 0;
  asked = 0;
  onDone = (): void => undefined;
  remainingWaitMs(): number {
    this.asked++;
    return this.isWaiting ? this.left : 0;
  }
  stopWaiting(): void {
    this.gaveUp++;
    this.isWaiting = false;
  }
  async settle(): Promise<void> {
    await Promise.resolve();
    this.stopWaiting();
  }
}

describe('events that wait for names', () => {
  let session: FakeSession;
  let names: FakeNames;
  let hub: ReturnType<typeof fakeHub>;
  beforeEach(() => {
    session = new FakeSession();
    names = new FakeNames();
    hub = fakeHub(session, { waitFor: { work: names, members: names, usedMax: 5 } });
  });
  afterEach(() => hub.end(false));

  const nextBatchPids = async (events: BatchIterator): Promise<unknown[]> =>
    ((await events.next()).value ?? []).map(eventPid);

  it('are delivered when the names are known, in their order, and before later events', async () => {
    const events = new BatchIterator(hub.addConsumer({}));
    session.records = execRecords(1, 2);
    const first = nextBatchPids(events);
    let isRead = false;
    void first.then(() => (isRead = true));
    await new Promise((resolve) => setTimeout(resolve, 30));
    session.records = execRecords(3, 2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(isRead, false);
    assert.equal(session.records.length, 2, 'nothing is read meanwhile');
    names.isWaiting = false;
    names.onDone();
    assert.deepEqual(await first, [1, 2]);
    assert.deepEqual(await nextBatchPids(events), [3, 4]);
  });

  it('are delivered after the time limit', async () => {
    const events = new BatchIterator(hub.addConsumer({}));
    session.records = execRecords(1, 2);
    const first = nextBatchPids(events);
    names.left = 0;
    assert.deepEqual(await first, [1, 2]);
  });

  it('are delivered when the ring buffer fills up', async () => {
    const events = new BatchIterator(hub.addConsumer({}));
    session.records = execRecords(1, 2);
    const first = nextBatchPids(events);
    await new Promise(setImmediate);
    session.records = execRecords(3, 6);
    assert.deepEqual(await first, [1, 2]);
    assert.equal(names.gaveUp, 1);
  });

  it('are delivered when the tracer ends', async () => {
    const events = new BatchIterator(hub.addConsumer({}));
    session.records = execRecords(1, 2);
    const first = nextBatchPids(events);
    await new Promise(setImmediate);
    session.records = execRecords(3, 1);
    void hub.end(false);
    assert.deepEqual(await first, [1, 2]);
    assert.deepEqual(await nextBatchPids(events), [3]);
  });

  it('are not examined when no name is awaited', async () => {
    names.isWaiting = false;
    const events = new BatchIterator(hub.addConsumer({}));
    session.records = execRecords(1, 100);
    assert.equal((await nextBatchPids(events)).length, 100);
    assert.equal(names.asked, 0);
  });
});
