/** Events as plain data: a copy, a worker and JSON lose nothing, and programs cannot reach objects of the tracer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { MessageChannel, Worker } from 'node:worker_threads';
import { MEMBERS } from '../../../lib/events/members.js';
import { PROCESS_MEMBERS } from '../../../lib/process/view.js';
import { toPlainEvent, PlainIterator } from '../../../lib/stream/plain-iterator.js';
import { formatCompact, toJson } from '../../../lib/output/index.js';
import type { PlainEvent, TracerEvent } from '../../../types/events.js';
import { createEventsOfAllKinds } from './all-kinds.js';

/** Lists all keys of an event, also symbols and keys of its prototypes. */
function listKeys(event: object): PropertyKey[] {
  const keys = new Set<PropertyKey>();
  for (let at = event; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const key of Reflect.ownKeys(at)) keys.add(key);
  }
  return [...keys];
}

/** Lists the members of an event that a program can use. */
function listMembers(event: object): string[] {
  const names = listKeys(event).filter((key) => typeof key === 'string');
  return names.filter((name) => !['constructor', 'toObject', 'toJSON'].includes(name)).sort();
}

const listPresent = (source: object): string[] =>
  listMembers(source).filter((name) => (source as Record<string, unknown>)[name] !== undefined);

/** The members of each event type in the public contract. */
const PUBLIC: Readonly<Record<string, readonly string[]>> = MEMBERS;

describe('events as plain data', () => {
  const events = createEventsOfAllKinds();

  for (const event of events) {
    it(`${event.type}: toObject() has every member, and survives a copy`, () => {
      const plain = event.toObject();
      assert.deepEqual(Object.keys(plain).sort(), listPresent(event));
      for (const name of Object.keys(plain)) {
        const [copy, live] = [plain, event].map((from) => (from as unknown as Record<string, unknown>)[name]);
        if (typeof live !== 'object') assert.equal(copy, live, name);
      }
      assert.deepEqual(structuredClone(plain), plain);
      assert.deepEqual({ ...plain }, plain);
    });

    it(`${event.type}: JSON loses nothing and does not throw`, () => {
      const json = JSON.parse(JSON.stringify(event)) as Record<string, unknown>;
      assert.deepEqual(Object.keys(json).sort(), listPresent(event));
      assert.equal(json['timeNs'], String(event.timeNs));
      assert.deepEqual(json, event.toJSON());
    });

    it(`${event.type}: a copy of the object itself is refused, not emptied`, () => {
      assert.throws(() => structuredClone(event), { name: 'DataCloneError' });
      assert.throws(() => new MessageChannel().port1.postMessage(event), { name: 'DataCloneError' });
      if (event.type !== 'lost') assert.throws(() => structuredClone(event.process), { name: 'DataCloneError' });
    });

    it(`${event.type}: exposes nothing of the tracer`, () => {
      assert.ok(event.type !== 'lost');
      assert.deepEqual(Reflect.ownKeys(event), ['process']);
      assert.deepEqual(listMembers(event), [...(PUBLIC[event.type] ?? [])].sort());
      assert.deepEqual(Reflect.ownKeys(event.process), ['toObject']);
      assert.deepEqual(listMembers(event.process).sort(), [...PROCESS_MEMBERS].sort());
      // Members without a public name are methods of the prototype that make a copy.
      for (const from of [event, event.process]) {
        for (const key of listKeys(from).filter((each) => typeof each === 'symbol')) {
          assert.deepEqual(Object.keys((from as never)[key] ?? {}), []);
        }
      }
    });

    it(`${event.type}: is formatted like its copy`, () => {
      assert.equal(toJson(event.toObject()), toJson(event));
      assert.equal(formatCompact(event.toObject()), formatCompact(event));
    });
  }

  const [execEvent, , kprobe] = events;

  it('the processes are complete, frozen and shared', () => {
    assert.ok(execEvent?.type === 'process_exec' && kprobe?.type === 'process_kprobe');
    const { process, parent } = kprobe.toObject();
    assert.deepEqual(Object.keys(process).sort(), listPresent(kprobe.process));
    assert.equal(parent?.pid, kprobe.parent?.pid);
    assert.equal(kprobe.toObject().process, process);
    assert.equal(kprobe.process, kprobe.process);
    assert.throws(() => (process.argv as string[]).push('x'), TypeError);
    assert.throws(() => (kprobe.process.argv as string[]).push('x'), TypeError);
    assert.throws(() => Object.assign(kprobe.process, { pid: 1 }), TypeError);
    assert.throws(() => (kprobe.tags as string[]).push('x'), TypeError);
  });

  it('JSON has numbers of 64 bits as digits and bytes as base64', () => {
    assert.ok(kprobe?.type === 'process_kprobe');
    const { args, return: returned } = kprobe.toJSON();
    assert.deepEqual(args[1], { type: 'uint64', index: 1, value: '1152921504606846976' });
    const bytes = args.find(({ type }) => type === 'char_buf');
    assert.deepEqual(Buffer.from(String(bytes && 'value' in bytes && bytes.value), 'base64'), Buffer.from('\0\x01'));
    assert.equal(returned && 'value' in returned && returned.value, '-1');
  });

  it('console.log shows the members', () => {
    const inspected = inspect(kprobe);
    assert.match(inspected, /functionName: 'f'/);
    assert.match(inspected, /path: '\/etc\/x'/);
    assert.doesNotMatch(inspected, /chunk|hook:|outcomes|ancestors/i);
    assert.match(inspect(kprobe && 'process' in kprobe && kprobe.process), /binary: /);
  });

  it('an iterator over plain data, and a worker that receives it', async () => {
    const worker = new Worker(
      "const { parentPort } = require('worker_threads'); parentPort.on('message', (m) => parentPort.postMessage(m));",
      { eval: true },
    );
    async function* iterateEvents(): AsyncGenerator<TracerEvent, undefined> {
      for (const event of events) yield await Promise.resolve(event);
      return undefined;
    }
    const seen: PlainEvent[] = [];
    for await (const plain of new PlainIterator(iterateEvents(), toPlainEvent)) {
      worker.postMessage(plain);
      const [received] = (await once(worker, 'message')) as [PlainEvent];
      assert.deepEqual(received, plain);
      seen.push(plain);
    }
    await worker.terminate();
    assert.deepEqual(
      seen.map(({ type }) => type),
      events.map(({ type }) => type),
    );
  });
});
