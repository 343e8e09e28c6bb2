/** Finding values in events. */
import assert from 'node:assert/strict';
import { argOf, isFile, pathOf } from '../../../lib/output/event-values.js';
import type { PlainEvent } from '../../../types/events.js';
import { execOf, exitOf, fileOf, hookOf, intOf, lostOf, textOf } from './events.js';

describe('values of events', () => {
  const event = hookOf('f', [intOf(4, 0), { ...fileOf('/a', 1), label: 'file' }], {
    data: [{ ...textOf('/text', 0), label: 'name' }],
    return: { ...intOf(-2, 0), label: 'result' },
  });

  it('isFile() is true for every type with a path, and for no text', () => {
    for (const type of ['file', 'path', 'fd', 'dentry', 'linux_binprm', 'kiocb'] as const) {
      assert.equal(isFile({ ...fileOf('/a'), type }), true);
    }
    for (const value of [intOf(1, 0), textOf('/a', 0)]) assert.equal(isFile(value), false);
  });

  it('argOf() finds the label among the arguments, the data and the return value', () => {
    assert.equal(argOf(event, 'file'), event.args[1]);
    assert.equal(argOf(event, 'name'), event.data[0]);
    assert.equal(argOf(event, 'result'), event.return);
    assert.equal(argOf(event, 'other'), undefined);
    for (const other of [execOf(), exitOf(), lostOf()]) assert.equal(argOf(other, 'file'), undefined);
  });

  it('pathOf() has the path of the first file', () => {
    assert.equal(pathOf(event), '/a');
    assert.equal(pathOf(hookOf('f', [fileOf('/old', 1), fileOf('/new', 3)])), '/old');
    assert.equal(pathOf(hookOf('f', [], { data: [fileOf('/data')] })), '/data');
    assert.equal(pathOf(hookOf('f', [intOf(4, 0)], { return: fileOf('/returned') })), '/returned');
    assert.equal(pathOf(hookOf('f', [textOf('/text', 0)])), undefined, 'a text is not resolved');
    assert.equal(pathOf(execOf({ executable: '/bin/dash', binary: '/script' })), '/bin/dash');
    const { time, timeNs, nodeName, process, ancestors, tid } = exitOf();
    const common = { time, timeNs, nodeName, process, ancestors, tid, policyName: 'a', inode: 1n };
    const loader: PlainEvent = {
      ...common,
      type: 'process_loader',
      path: '/lib/libc.so',
      device: { major: 8, minor: 1 },
    };
    assert.equal(pathOf(loader), '/lib/libc.so');
    for (const other of [exitOf(), lostOf()]) assert.equal(pathOf(other), undefined);
  });
});
