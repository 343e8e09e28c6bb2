/** Aggregation for one client: its limits, and what is counted when the client is slow. */
import assert from 'node:assert/strict';
import { fromBinary } from '@bufbuild/protobuf';
import type { PlainEvent, TracerEvent } from 'polytrace';
import { execEvent, lostEvent } from '../../../test/unit/output/events.js';
import { EventEncoder, type FilteredEvent } from 'polytrace/protocol';
import { Aggregator } from '../../lib/streams/aggregator.js';
import { GetEventsResponseSchema } from 'polytrace/protocol';
import { EventStream } from '../../lib/streams/event-stream.js';
import { HEADER, messageEnd } from '../../lib/streams/frames.js';
import { EventHub, type Subscription } from '../../lib/streams/hub.js';
import type { WindowOptions } from '../../lib/streams/window.js';

const DAY = 24 * 3_600_000;

describe('aggregation for a client', () => {
  /** The number of events of each message. */
  const sent: number[] = [];

  function createAggregator(more: Partial<WindowOptions<Uint8Array>> = {}): Aggregator {
    sent.length = 0;
    return new Aggregator({
      windowMs: DAY,
      maxMessages: 100,
      maxBytes: () => 10_000,
      send: (_message, events) => void sent.push(events),
      flush: () => undefined,
      ...more,
    });
  }

  const createMessage = (i: number): Buffer => Buffer.alloc(100, i);

  for (const limits of [{ maxMessages: 3 }, { maxBytes: () => 600 }]) {
    it(`a window with more than ${'maxMessages' in limits ? 'its events' : 'its bytes'} ends early`, () => {
      const window = createAggregator(limits);
      for (const i of [1, 2, 3, 3]) window.add(createMessage(i), 0);
      assert.deepEqual(sent, []);
      window.add(createMessage(4), 0);
      assert.deepEqual(sent, [1, 1, 2]);
      window.stop();
      assert.equal(sent.length, 4);
    });
  }

  it('a report of a loss that finds the queue full is sent later, with all its events', () => {
    const reported: string[] = [];
    let finishWrite = (): void => undefined;
    const hub = new EventHub({ nodeName: 'node', queueBytes: 1000 });
    hub.subscribe({
      send: (frames, done) => {
        const bytes = Buffer.alloc(frames.byteLength + HEADER);
        frames.copy(bytes, HEADER);
        for (let at = 0; at < bytes.length;) {
          const end = at + HEADER + bytes.readUInt32BE(at + 1);
          const { event } = fromBinary(GetEventsResponseSchema, bytes.subarray(at + HEADER, end));
          if (event.case === 'rateLimitInfo') {
            const { hook, policyName, reason, numberOfDroppedProcessEvents: count } = event.value;
            reported.push(`${hook} ${policyName} ${reason} ${count}`);
          }
          at = end;
        }
        finishWrite = done;
      },
    });
    const dispatch = (...events: readonly PlainEvent[]): void => hub.dispatch(events as unknown as TracerEvent[]);
    const createLoss = (count: number, policyName: string): PlainEvent => lostEvent({ hook: 'f', policyName, count });
    // the first write takes the queued events; then the queue fills
    dispatch(execEvent());
    dispatch(
      ...Array.from({ length: 20 }, () => execEvent()),
      createLoss(1000, 'a'),
      createLoss(10, 'b'),
      createLoss(1, 'a'),
    );
    const [stream] = hub.streams;
    const lost = stream?.lost ?? 0;
    assert.ok(lost > 0 && lost < 20);
    for (let i = 0; i < 10; i++) finishWrite();
    assert.deepEqual(reported, [`f a ring_full 1001`, `f b ring_full 10`, `GetEvents  slow_consumer ${lost}`]);
  });

  it('a message that finds the queue full is lost with all its events', () => {
    const stream = new EventStream({
      // the first write never ends
      send: () => undefined,
      queueBytes: () => 150,
      encoder: new EventEncoder({}),
      nodeName: 'node',
    });
    const window = createAggregator({ send: (bytes, events) => stream.addMessage(bytes, events) });
    for (const i of [1, 2, 2, 2, 3, 3]) window.add(createMessage(i), 0);
    window.stop();
    assert.equal(stream.lost, 5);
  });
});

/** A client that receives what a stream sends, and counts it. */
class Receiver {
  received = 0;
  lost = 0;
  readonly bytes: Buffer[] = [];
  /** Ends the current write. */
  finish = (): void => undefined;

  readonly send: Subscription['send'] = (frames, done) => {
    const bytes = Buffer.alloc(frames.byteLength + HEADER);
    frames.copy(bytes, HEADER);
    for (let at = 0; at < bytes.length;) {
      const end = messageEnd(bytes, at);
      const message = bytes.subarray(at + HEADER, end);
      const { event } = fromBinary(GetEventsResponseSchema, message);
      if (event.case === 'rateLimitInfo') this.lost += Number(event.value.numberOfDroppedProcessEvents);
      else this.received += 1;
      this.bytes.push(message);
      at = end;
    }
    this.finish = done;
  };
}

describe('clients with the same filters', () => {
  const BATCH = 20;
  const batch = Array.from({ length: BATCH }, (_, i) => execEvent({}, { tid: i + 1 })) as unknown as TracerEvent[];

  it('share the filter, and get the same messages as a client of its own', () => {
    const hub = new EventHub({ nodeName: 'node' });
    let asked = 0;
    const isWanted = (event: FilteredEvent): boolean => {
      asked += 1;
      return 'tid' in event && event.tid % 3 !== 0;
    };
    const shared = Array.from({ length: 5 }, () => new Receiver());
    for (const { send } of shared) hub.subscribe({ send, isWanted, filterKey: 'tid' });
    const other = new Receiver();
    const unfiltered = new Receiver();
    hub.dispatch(batch);
    assert.equal(asked, BATCH);
    hub.subscribe({ send: other.send, isWanted });
    hub.subscribe({ send: unfiltered.send, filterKey: '' });
    for (const { finish } of shared) finish();
    hub.dispatch(batch);
    assert.equal(asked, 3 * BATCH);
    assert.equal(unfiltered.received, BATCH);
    const once = Buffer.concat(other.bytes);
    for (const { bytes } of shared) assert.deepEqual(Buffer.concat(bytes), Buffer.concat([once, once]));
  });

  it('get or lose each event on their own: received and lost are what was produced, for each of 50', () => {
    const hub = new EventHub({ nodeName: 'node', queueBytes: 8000 });
    const receivers = Array.from({ length: 50 }, () => new Receiver());
    const streams = receivers.map(({ send }) => hub.subscribe({ send, filterKey: '' }));
    const rounds = 100;
    for (let round = 0; round < rounds; round++) {
      hub.dispatch(batch);
      // client n takes what was sent after every n rounds: the first one takes all of it
      for (const [n, receiver] of receivers.entries())
        for (let write = 0; write < 5 && round % (n + 1) === 0; write++) receiver.finish();
    }
    for (const receiver of receivers) for (let i = 0; i < 10; i++) receiver.finish();
    for (const [n, { received, lost }] of receivers.entries()) {
      assert.equal(received + lost, rounds * BATCH, `client ${n}`);
      assert.equal(streams[n]?.lost, lost);
    }
    assert.equal(receivers[0]?.lost, 0);
    assert.ok((receivers[49]?.lost ?? 0) > 0);
  });

  it('get their events in order from several shared buffers, with a loss between them', () => {
    const hub = new EventHub({ nodeName: 'node' });
    const encoder = new EventEncoder({});
    const long = { cwd: `/${'x'.repeat(3000)}` };
    const events = Array.from({ length: 200 }, (_, i) =>
      i === 120 ? lostEvent({ hook: 'f', count: 5 }) : execEvent(i % 50 === 0 ? long : {}, { tid: i + 1 }),
    ) as unknown as TracerEvent[];
    const chooses: Readonly<Record<string, (event: FilteredEvent) => boolean>> = {
      all: () => true,
      none: () => false,
      some: (event) => 'tid' in event && event.tid % 3 === 0,
      late: (event) => 'tid' in event && event.tid > 190,
    };
    const groups = Object.entries(chooses).flatMap(([name, isWanted]) =>
      [false, true].map((isShaped) => {
        const receiver = new Receiver();
        const shape = isShaped ? { shape: (message: Buffer): Buffer => message } : {};
        hub.subscribe({ send: receiver.send, isWanted, filterKey: name, ...shape });
        return { name, isWanted, receiver };
      }),
    );
    hub.dispatch(events);
    for (const { name, isWanted, receiver } of groups) {
      for (let write = 0; write < 20; write++) receiver.finish();
      const wanted = events.filter((event) => event.type === 'lost' || isWanted(event));
      const expected = wanted.map((event) => Buffer.from(encoder.encode(event).take()));
      assert.ok(Buffer.concat(receiver.bytes).equals(Buffer.concat(expected)), name);
    }
  });

  it('get nothing twice after a filter has thrown in the middle of a batch', () => {
    const hub = new EventHub({ nodeName: 'node' });
    const receiver = new Receiver();
    hub.subscribe({ send: receiver.send, filterKey: '' });
    let isBroken = true;
    const isWanted = (event: FilteredEvent): boolean => {
      if (isBroken && 'tid' in event && event.tid > BATCH / 2) throw new Error('broken');
      return false;
    };
    hub.subscribe({ send: new Receiver().send, isWanted, filterKey: 'broken' });
    assert.throws(() => hub.dispatch(batch), /broken/);
    isBroken = false;
    hub.dispatch(batch);
    assert.equal(receiver.received, BATCH);
  });

  it('ask another one while a stream is about to be ended, because its filters take too long', () => {
    const hub = new EventHub({ nodeName: 'node' });
    const [slow, fast] = [new Receiver(), new Receiver()];
    const ending = hub.subscribe({ send: slow.send, isWanted: () => false, filterKey: 'k' });
    hub.subscribe({ send: fast.send, isWanted: () => true, filterKey: 'k' });
    ending.isEnding = true;
    hub.dispatch(batch);
    assert.equal(fast.received, BATCH);
    hub.unsubscribe(ending);
    fast.finish();
    hub.dispatch(batch);
    assert.equal(fast.received, 2 * BATCH);
  });
});
