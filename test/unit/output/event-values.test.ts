/** The functions that find values in events. */
import assert from 'node:assert/strict';
import { findArgument, isFile, eventPath } from '../../../lib/output/event-values.js';
import type { PlainEvent } from '../../../types/events.js';
import { fileArgument, intArgument, stringArgument } from './arguments.js';
import { execEvent, exitEvent, kprobeEvent, lostEvent } from './events.js';

describe('values of events', () => {
  const event = kprobeEvent('f', [intArgument(4, 0), { ...fileArgument('/a', 1), label: 'file' }], {
    data: [{ ...stringArgument('/text', 0), label: 'name' }],
    return: { ...intArgument(-2, 0), label: 'result' },
  });

  it('isFile() is true for every type with a path, and false for strings', () => {
    for (const type of ['file', 'path', 'fd', 'dentry', 'linux_binprm', 'kiocb'] as const) {
      assert.equal(isFile({ ...fileArgument('/a'), type }), true);
    }
    for (const value of [intArgument(1, 0), stringArgument('/a', 0)]) assert.equal(isFile(value), false);
  });

  it('findArgument() finds the label among the arguments, the data and the return value', () => {
    assert.equal(findArgument(event, 'file'), event.args[1]);
    assert.equal(findArgument(event, 'name'), event.data[0]);
    assert.equal(findArgument(event, 'result'), event.return);
    assert.equal(findArgument(event, 'other'), undefined);
    for (const other of [execEvent(), exitEvent(), lostEvent()]) assert.equal(findArgument(other, 'file'), undefined);
  });

  it('eventPath() returns the path of the first file', () => {
    assert.equal(eventPath(event), '/a');
    assert.equal(eventPath(kprobeEvent('f', [fileArgument('/old', 1), fileArgument('/new', 3)])), '/old');
    assert.equal(eventPath(kprobeEvent('f', [], { data: [fileArgument('/data')] })), '/data');
    assert.equal(eventPath(kprobeEvent('f', [intArgument(4, 0)], { return: fileArgument('/returned') })), '/returned');
    assert.equal(eventPath(kprobeEvent('f', [stringArgument('/text', 0)])), undefined, 'a text is not resolved');
    assert.equal(eventPath(execEvent({ executable: '/bin/dash', binary: '/script' })), '/bin/dash');
    const { time, timeNs, nodeName, process, ancestors, tid } = exitEvent();
    const common = { time, timeNs, nodeName, process, ancestors, tid, policyName: 'a', inode: 1n };
    const loader: PlainEvent = {
      ...common,
      type: 'process_loader',
      path: '/lib/libc.so',
      device: { major: 8, minor: 1 },
    };
    assert.equal(eventPath(loader), '/lib/libc.so');
    for (const other of [exitEvent(), lostEvent()]) assert.equal(eventPath(other), undefined);
  });
});
