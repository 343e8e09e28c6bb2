/** The functions that find values in events. */
import assert from 'node:assert/strict';
import { argOf, isFile, pathOf } from '../../../lib/output/event-values.js';
import type { PlainEvent } from '../../../types/events.js';
import { execEvent, exitEvent, fileArgument, kprobeEvent, intArgument, lostEvent, stringArgument } from './events.js';

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

  it('argOf() finds the label among the arguments, the data and the return value', () => {
    assert.equal(argOf(event, 'file'), event.args[1]);
    assert.equal(argOf(event, 'name'), event.data[0]);
    assert.equal(argOf(event, 'result'), event.return);
    assert.equal(argOf(event, 'other'), undefined);
    for (const other of [execEvent(), exitEvent(), lostEvent()]) assert.equal(argOf(other, 'file'), undefined);
  });

  it('pathOf() returns the path of the first file', () => {
    assert.equal(pathOf(event), '/a');
    assert.equal(pathOf(kprobeEvent('f', [fileArgument('/old', 1), fileArgument('/new', 3)])), '/old');
    assert.equal(pathOf(kprobeEvent('f', [], { data: [fileArgument('/data')] })), '/data');
    assert.equal(pathOf(kprobeEvent('f', [intArgument(4, 0)], { return: fileArgument('/returned') })), '/returned');
    assert.equal(pathOf(kprobeEvent('f', [stringArgument('/text', 0)])), undefined, 'a text is not resolved');
    assert.equal(pathOf(execEvent({ executable: '/bin/dash', binary: '/script' })), '/bin/dash');
    const { time, timeNs, nodeName, process, ancestors, tid } = exitEvent();
    const common = { time, timeNs, nodeName, process, ancestors, tid, policyName: 'a', inode: 1n };
    const loader: PlainEvent = {
      ...common,
      type: 'process_loader',
      path: '/lib/libc.so',
      device: { major: 8, minor: 1 },
    };
    assert.equal(pathOf(loader), '/lib/libc.so');
    for (const other of [exitEvent(), lostEvent()]) assert.equal(pathOf(other), undefined);
  });
});
