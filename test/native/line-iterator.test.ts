/** Lines that are made from records without events must be those of the events, in their order. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compactLines } from '../../lib/lines/compact-lines.js';
import { jsonLines } from '../../lib/lines/json-lines.js';
import { findLineWriter } from '../../lib/lines/line-writer.js';
import { ProcessCache } from '../../lib/process/cache.js';
import { Clock } from '../../lib/process/clock.js';
import { BatchIterator } from '../../lib/stream/consumer.js';
import type { Hub } from '../../lib/stream/hub.js';
import { LineIterator } from '../../lib/stream/line-iterator.js';
import { EventHeader, EventHook, EventType } from '../../lib/wire/layout.gen.js';
import type { EventsOptions, LineFormatter } from '../../types/index.js';
import { compiledHook, compiledValue, loadedHook } from '../unit/compiled-hooks.js';
import { fakeHub, FakeSession } from '../unit/stream/fake-session.js';
import { valuesRecord, type RecordValue } from '../unit/wire/decode/values.js';
import { execRecord, exitRecord, forkRecord, testProcess, throttleRecord } from '../unit/wire/records.js';

const [FILE_HOOK, SOCKET_HOOK, ACTION_HOOK, UNKNOWN_HOOK] = [8, 9, 10, 11];
const HOOKS_OF_RECORDS = [FILE_HOOK, FILE_HOOK, FILE_HOOK, SOCKET_HOOK, ACTION_HOOK, UNKNOWN_HOOK];
/** A process whose container becomes known after its exec. */
const AWAITED = 7;

const createHooks = () => {
  const file = compiledHook({ args: [compiledValue('file'), compiledValue('int', { index: 1 })] });
  const socket = compiledHook({ args: [compiledValue('sock')] });
  const action = compiledHook({ ...file, actions: [] as never });
  const functionName = 'security_file_permission';
  return new Map([
    [FILE_HOOK, loadedHook(file, { id: FILE_HOOK, functionName })],
    [SOCKET_HOOK, loadedHook(socket, { id: SOCKET_HOOK, functionName: 'tcp_connect' })],
    [ACTION_HOOK, loadedHook(action, { id: ACTION_HOOK })],
  ]);
};

/** Work that begins with the exec of AWAITED, and ends after a while. */
class FakeWork {
  isWaiting = false;
  onDone = (): void => undefined;
  remainingWaitMs(): number {
    return this.isWaiting ? 60_000 : 0;
  }
  stopWaiting(): void {
    this.isWaiting = false;
  }
  settle(): Promise<void> {
    return Promise.resolve();
  }
}

function createStream() {
  const session = Object.assign(new FakeSession(), { isThrottled: () => true });
  const work = new FakeWork();
  const hooks = createHooks();
  const clock = new Clock(() => 5n);
  const cache = new ProcessCache({ nodeName: 'n', clock });
  const onExec = cache.onExec.bind(cache);
  cache.onExec = (...record) => {
    const tracked = onExec(...record);
    if (tracked.pid !== testProcess(AWAITED).pid) return tracked;
    work.isWaiting = true;
    setImmediate(() => {
      Object.defineProperty(tracked, 'container', { value: { id: 'c'.repeat(64), name: 'web' } });
      work.isWaiting = false;
      work.onDone();
    });
    return tracked;
  };
  const hub = fakeHub(session, { cache, clock, hooks, waitFor: { work, members: work, usedMax: 1e9 } });
  return { session, hub, hooks };
}

/** A record of a hook, or what happens to a process. */
type Step =
  | { readonly kind: 'exec' | 'fork' | 'exit' | 'throttle'; readonly n: number }
  | { readonly kind: 'hook'; readonly n: number; readonly hook: number; readonly value: RecordValue };

function makeRecord(step: Step, time: number): Buffer {
  const process = testProcess(step.n);
  const make = (): Buffer => {
    switch (step.kind) {
      case 'exec':
        return execRecord(process, testProcess(step.n >> 1));
      case 'fork':
        return forkRecord(process, testProcess(step.n >> 1));
      case 'exit':
        return exitRecord(process);
      case 'throttle':
        return throttleRecord(process, BigInt(step.n), 'cgroup');
      case 'hook':
        return hookRecord(step.hook, process, step.value);
    }
  };
  const record = make();
  record.writeBigUInt64LE(BigInt(time), EventHeader.time);
  return record;
}

function hookRecord(hook: number, { pid, start }: ReturnType<typeof testProcess>, value: RecordValue): Buffer {
  const bytes = valuesRecord([value, { value: 4n }]);
  const record = Buffer.alloc((bytes.length + 7) & ~7);
  bytes.copy(record);
  record.writeUInt16LE(EventType.EVENT_HOOK, EventHeader.type);
  record.writeUInt32LE(hook, EventHook.hook);
  record.writeBigUInt64LE(1n, EventHook.matched);
  record.writeUInt32LE(pid, EventHook.key);
  record.writeUInt32LE(pid, EventHook.key + 4);
  record.writeBigUInt64LE(start, EventHook.key + 8);
  record.writeBigUInt64LE(1n, EventHook.key + 16);
  return record;
}

type Iterate = (hub: Hub) => AsyncIterator<Uint8Array>;

/** Each part is read when the iterator asks for more, or when it is woken. */
async function readStream(parts: readonly (readonly Buffer[])[], iterate: Iterate) {
  const { session, hub, hooks } = createStream();
  const chunks: Buffer[] = [];
  const lines = iterate(hub);
  let pending: Promise<boolean> | undefined;
  const next = async (): Promise<boolean> => {
    const result = await lines.next();
    pending = undefined;
    if (result.done === true) return false;
    chunks.push(Buffer.from(result.value));
    return true;
  };
  for (const [i, part] of parts.entries()) {
    session.records.push(...part);
    if (i % 3 === 1) session.losses.push({ hook: FILE_HOOK, ring: i, pending: 0, unreturned: 0 });
    if (pending === undefined) pending = next();
    else session.onReadable();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 3));
  await hub.end(false);
  while (await (pending ?? next()));
  const tallies = [...hooks.values()].map(({ tally }) => tally);
  // a loss has the time of day, and follows the records of the read that found it
  const all = Buffer.concat(chunks).toString().split(/(?<=\n)/);
  const text = all.filter((line) => !/^(?:\{"lost"|⚠️)/.test(line)).join('');
  return { text, lines: all.length, tallies, events: hub.events, losses: hub.losses };
}

const ofEvents =
  (format: LineFormatter, options: EventsOptions = {}): Iterate =>
  (hub) => {
    const batches = new BatchIterator(hub.addConsumer(options));
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      const { value, done } = await batches.next();
      return done === true ? { value: undefined, done } : { value: format(value), done: false };
    };
    return { next };
  };

const ofLines =
  (format: LineFormatter, options: EventsOptions = {}): Iterate =>
  (hub) => {
    const writer = findLineWriter(format);
    assert(writer !== undefined);
    return new LineIterator(hub.addConsumer(options), writer);
  };

const texts = fc.constantFrom('/etc/shadow', '/a b', '/"', '', '/\xff', '/x/y/z');
const value = fc.record({ text: texts, value: fc.constant(5n), mode: fc.constantFrom(0, 0o100640) });
const numbers = fc.nat({ max: 12 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('hook' as const), n: numbers, hook: fc.constantFrom(...HOOKS_OF_RECORDS), value }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('exec', 'fork', 'exit', 'throttle' as const), n: numbers }) },
); // prettier-ignore

/** Writers that count the records that need no event. */
function countingWriter() {
  let direct = 0;
  const writer = () => {
    const created = findLineWriter(jsonLines());
    assert(created !== undefined);
    const addRecord = created.addRecord.bind(created);
    created.addRecord = (...record) => {
      const isAdded = addRecord(...record);
      if (isAdded) direct += 1;
      return isAdded;
    };
    return created;
  };
  return { writer, direct: () => direct };
}

describe('lines without events', () => {
  it('1. are those of the events, whatever happens between them', async () => {
    const formats = fc.constantFrom(
      () => jsonLines(),
      () => jsonLines({ ancestors: ['process_kprobe'] }),
      () => compactLines({ who: true }),
      () => compactLines({ capabilities: true }),
    );
    const options = fc.constantFrom<EventsOptions>({}, {}, { types: ['process_kprobe', 'lost'] });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(steps, { maxLength: 30 }), { maxLength: 6 }), formats, options, async (all, create, filter) => {
        let time = 0;
        const parts = all.map((part) => part.map((step) => makeRecord(step, ++time)));
        const lines = await readStream(parts, ofLines(create(), filter));
        assert.deepEqual(lines, await readStream(parts, ofEvents(create(), filter)));
      }),
      { numRuns: 150 },
    ); // prettier-ignore
  }).timeout(60_000);

  it('2. are made without events while one iterator reads', async () => {
    const value = { text: '/x', value: 5n, mode: 0o100644 };
    const hook: Step = { kind: 'hook', n: 1, hook: FILE_HOOK, value };
    const parts = Array.from({ length: 4 }, () => Array.from({ length: 50 }, (_, i) => makeRecord(hook, i)));
    const expected = await readStream(parts, ofEvents(jsonLines()));
    assert.equal(expected.events, 200);
    const { writer, direct } = countingWriter();
    let offered = 0;
    const watch =
      (others: number): Iterate =>
      (hub) => {
        for (let i = 0; i < others; i++) {
          const other = hub.addConsumer({});
          other.offer = (events) => void (offered += events.length);
        }
        return new LineIterator(hub.addConsumer({}), writer());
      };
    assert.deepEqual(await readStream(parts, watch(0)), expected);
    // the first event shows what the lines look like
    assert.equal(direct(), 199);
    const shared = await readStream(parts, watch(1));
    assert.equal(shared.text, expected.text);
    assert.equal(direct(), 199);
    assert.equal(offered, 201, 'another iterator gets all events, and what was lost');
  });

  it('3. wait for what events wait for, and the lines before them do not', async () => {
    const value = { text: '/x', value: 5n, mode: 0o100644 };
    const hook = (n: number): Step => ({ kind: 'hook', n, hook: FILE_HOOK, value });
    const all: Step[] = [hook(1), hook(1), { kind: 'exec', n: AWAITED }, hook(AWAITED), hook(1), hook(AWAITED)];
    const records = all.map((step, i) => makeRecord(step, i));
    for (const parts of [[records], records.map((record) => [record])]) {
      const lines = await readStream(parts, ofLines(jsonLines()));
      assert.equal(lines.text.match(/"docker":"c+"/g)?.length, 3);
      assert.deepEqual(lines, await readStream(parts, ofEvents(jsonLines())));
    }
  });

  it('4. are those of their records, also when the buffer is used again', async () => {
    const paths = Array.from({ length: 3000 }, (_, i) => `/path/${i}`);
    const records = paths.map((text, i) => makeRecord({ kind: 'hook', n: 1, hook: FILE_HOOK, value: { text, mode: 0o100644 } }, i));
    const parts = Array.from({ length: 60 }, (_, i) => records.slice(i * 50, (i + 1) * 50));
    const { text } = await readStream(parts, ofLines(compactLines()));
    const found = [...text.matchAll(/\/path\/\d+/g)].map(([path]) => path);
    assert.deepEqual(found, paths);
  });

  it('5. end with the iterator and the signal', async () => {
    const { session, hub } = createStream();
    const writer = findLineWriter(jsonLines());
    assert(writer !== undefined);
    const controller = new AbortController();
    const lines = new LineIterator(hub.addConsumer({ signal: controller.signal }), writer);
    const waiting = lines.next();
    controller.abort();
    assert.equal((await waiting).done, true);
    session.records = [makeRecord({ kind: 'exec', n: 1 }, 1)];
    assert.equal((await lines.next()).done, true);
    const others = new LineIterator(hub.addConsumer({}), writer);
    assert.match(Buffer.from((await others.next()).value as Uint8Array).toString(), /process_exec/);
    await others.return();
    assert.equal((await others.next()).done, true);
    assert.equal(hub.consumers, 0);
    await hub.end(false);
  });

  it('6. are made without events also when the iterator has waited for them', async () => {
    const value = { text: '/x', value: 5n, mode: 0o100644 };
    const { session, hub } = createStream();
    const { writer, direct } = countingWriter();
    const lines = new LineIterator(hub.addConsumer({}), writer());
    for (let part = 0; part < 4; part++) {
      const waiting = lines.next();
      await new Promise((resolve) => setImmediate(resolve));
      for (let i = 0; i < 50; i++) session.records.push(makeRecord({ kind: 'hook', n: 1, hook: FILE_HOOK, value }, i));
      session.onReadable();
      assert.equal(Buffer.from((await waiting).value as Uint8Array).toString().match(/\n/g)?.length, 50);
    }
    assert.deepEqual([direct(), hub.events], [199, 200]);
    await lines.return();
    await hub.end(false);
  });

  it('7. of records that were copied for an iterator which then ended are those of the next one', async () => {
    const { session, hub } = createStream();
    const { writer, direct } = countingWriter();
    const ended = new LineIterator(hub.addConsumer({}), writer());
    const waiting = ended.next();
    await new Promise((resolve) => setImmediate(resolve));
    session.records = [makeRecord({ kind: 'exec', n: 1 }, 1)];
    session.onReadable();
    const stopped = ended.return();
    assert.equal((await waiting).done, true);
    await stopped;
    const next = new LineIterator(hub.addConsumer({}), writer());
    assert.match(Buffer.from((await next.next()).value as Uint8Array).toString(), /process_exec/);
    assert.deepEqual([direct(), hub.events], [0, 1]);
    await next.return();
    await hub.end(false);
  });
});
