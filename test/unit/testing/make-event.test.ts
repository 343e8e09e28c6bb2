/** makeEvent: complete events from few members, for tests of programs that handle events. */
import assert from 'node:assert/strict';
import { findArgument, formatCompact, makeEvent, recorder, recordingReader, toJson } from '../../../lib/index.js';
import { DEFAULT_ARGUMENTS } from '../../../lib/testing/default-arguments.js';
import { EVENT_TYPES } from '../../../lib/names/event-types.js';
import type { ArgumentMembers, EventType, HookArgument, PlainEvent, ProcessKprobeEvent } from '../../../types/index.js';
import { createEventsOfAllKinds } from '../events/all-kinds.js';

/** Members that are absent in some events of the type. */
const OPTIONAL = ['parent', 'former', 'signal', 'policyMode', 'kernelStack', 'userStack', 'message', 'return', 'returnAction', 'imaHash', 'address', 'buildId']; // prettier-ignore

const listRequired = (event: object): string[] => Object.keys(event).filter((name) => !OPTIONAL.includes(name)).sort(); // prettier-ignore

const recordLines = (event: ReturnType<typeof makeEvent>): PlainEvent | undefined => {
  const { header, lines } = recorder();
  const reader = recordingReader();
  const items = `${header}${lines(event)}`.trimEnd().split('\n').map((line) => reader.read(line)); // prettier-ignore
  return items.at(-1)?.event;
};

describe('makeEvent', () => {
  for (const traced of createEventsOfAllKinds()) {
    it(`${traced.type}: has the members that a tracer's event always has`, () => {
      const made = makeEvent(traced.type);
      const plain = traced.toObject();
      assert.deepEqual(listRequired(made), listRequired(plain));
      if (made.type === 'lost' || plain.type === 'lost') assert.fail('the kinds have no lost event');
      const optional = ['container', 'pod', 'user', 'formerExecId', 'binaryProperties'];
      const always = Object.keys(plain.process).filter((name) => !optional.includes(name));
      assert.deepEqual(Object.keys(made.process).sort(), always.sort());
    });
  }

  for (const type of EVENT_TYPES) {
    it(`${type}: has the methods, is the same each time, and can be printed and recorded`, () => {
      const event = makeEvent(type);
      const plain = event.toObject();
      assert.equal(plain.type, type);
      assert.deepEqual(makeEvent(type).toObject(), plain);
      assert.deepEqual(structuredClone(plain), plain);
      assert.equal((JSON.parse(JSON.stringify(event)) as { type: string }).type, type);
      assert.ok(formatCompact(event).length > 5 && toJson(event).length > 20);
      assert.deepEqual(recordLines(event), plain);
    });
  }

  it('takes the given members, and completes processes', () => {
    const event = makeEvent('process_exit', {
      status: 3,
      process: { pid: 42, binary: '/bin/sh', argv: ['-c', 'a b'], uid: 5 },
      parent: { pid: 41 },
      ancestors: [{ pid: 40 }],
    });
    const { process, parent, ancestors, status, tid } = event;
    assert.deepEqual([status, tid, process.pid, process.uid, process.credentials.euid], [3, 42, 42, 5, 5]);
    assert.deepEqual([process.executable, process.arguments], ['/bin/sh', '-c "a b"']);
    assert.equal(Buffer.from(process.execId, 'base64').toString(), 'node:0:42');
    assert.equal(process.parentExecId, parent?.execId);
    assert.equal(parent?.parentExecId, ancestors[0]?.execId);
    assert.equal(formatCompact(event), '💥 exit    node /bin/sh -c "a b" 3');
  });

  it('makes the time of an event from either form', () => {
    const time = '2026-11-24T14:36:50.316744941Z';
    const timeNs = 1795531010316744941n;
    assert.equal(makeEvent('process_exec', { time }).timeNs, timeNs);
    const { time: made, process } = makeEvent('process_exec', { timeNs, process: { startTime: '1970-01-01T00:00:01Z' } }); // prettier-ignore
    assert.deepEqual([made, process.startTimeNs], [time, 1_000_000_000n]);
    assert.equal(makeEvent('lost', { time: '1970-01-01T01:00:00.5+01:00' }).timeNs, 500_000_000n);
    assert.throws(() => makeEvent('lost', { time: 'today' }), { code: 'BAD_OPTION', message: /"today"/ });
  });

  it('completes values of every type', () => {
    for (const type of Object.keys(DEFAULT_ARGUMENTS) as HookArgument['type'][]) {
      const event = makeEvent('process_kprobe', { args: [{ type: 'int', value: 1 }, { type } as ArgumentMembers] });
      assert.deepEqual([event.args[1]?.type, event.args[1]?.index], [type, 1]);
      assert.deepEqual(recordLines(event), event.toObject());
      assert.ok(formatCompact(event) !== '' && toJson(event) !== '');
    }
    const event: ProcessKprobeEvent = makeEvent('process_kprobe', {
      args: [{ type: 'file', path: '/etc/shadow', label: 'file', index: 4 }],
      return: { type: 'int', value: -1 },
    });
    const file = findArgument(event, 'file');
    assert.ok(file?.type === 'file');
    assert.deepEqual([file.path, file.index, file.links, event.return], ['/etc/shadow', 4, 1, { type: 'int', index: 0, value: -1 }]); // prettier-ignore
  });

  it('refuses an unknown type of event or value', () => {
    assert.throws(() => makeEvent('process_fork' as EventType), { code: 'BAD_OPTION', hint: /process_exec/ });
    assert.throws(() => makeEvent('toString' as EventType), { code: 'BAD_OPTION' });
    const args = [{ type: 'flie' as 'file' }];
    assert.throws(() => makeEvent('process_lsm', { args }), { code: 'BAD_OPTION', message: /"flie"/ });
  });

  it('its types refuse a member of another type of event, and a wrong value', () => {
    // @ts-expect-error an exec has no status
    makeEvent('process_exec', { status: 1 });
    // @ts-expect-error the status is a number
    makeEvent('process_exit', { status: '1' });
    // @ts-expect-error an int has no path
    makeEvent('process_lsm', { args: [{ type: 'int', path: '/a' }] });
    // @ts-expect-error a process has no such member
    makeEvent('process_exec', { process: { pdi: 1 } });
  });
});
