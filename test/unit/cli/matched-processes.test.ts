import assert from 'node:assert/strict';
import { MatchedProcesses } from '../../../lib/cli/matched-processes.js';
import type { PlainEvent, PlainProcess } from '../../../types/events.js';
import { execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from '../output/events.js';

describe('--processes matched', () => {
  const makeProcess = (execId: string, parentExecId: string, more: Partial<PlainProcess> = {}): PlainProcess =>
    plainProcess({ execId, parentExecId, ...more });
  const shell = makeProcess('shell', 'login');
  const cat = makeProcess('cat', 'shell');
  const startEvent = (process: PlainProcess): PlainEvent => execEvent({}, { process });
  const endEvent = (process: PlainProcess): PlainEvent => exitEvent({}, { process });
  const policyEvent = (process: PlainProcess, more: object = {}): PlainEvent =>
    kprobeEvent('fd_install', [], { process, ...more });

  function printMatched(...events: readonly (readonly [string, PlainEvent])[]): string {
    const matched = new MatchedProcesses();
    return events.map(([text, event]) => matched.take(event, `${text} `)).join('');
  }

  it('a process without a policy event is not printed', () => {
    assert.equal(printMatched(['start', startEvent(cat)], ['end', endEvent(cat)], ['lost', lostEvent()]), 'lost ');
  });

  it('exec events of the process and its ancestors come before its first policy event, the oldest first', () => {
    const text = printMatched(
      ['shell', startEvent(shell)],
      ['other', startEvent(makeProcess('other', 'shell'))],
      ['cat', startEvent(cat)],
      ['read', policyEvent(cat)],
      ['read', policyEvent(cat)],
      ['other-end', endEvent(makeProcess('other', 'shell'))],
      ['cat-end', endEvent(cat)],
      ['shell-end', endEvent(shell)],
    );
    assert.equal(text, 'shell cat read read cat-end shell-end ');
  });

  it('ancestors without an exec event, such as forked ones, do not hide the ancestors before them', () => {
    const forked = makeProcess('forked', 'shell', { forked: true });
    const child = makeProcess('child', 'forked');
    const text = printMatched(
      ['shell', startEvent(shell)],
      ['child', startEvent(child)],
      ['read', policyEvent(child, { parent: forked, ancestors: [shell] })],
      ['child-end', endEvent(child)],
      ['forked-end', endEvent(forked)],
    );
    assert.equal(text, 'shell child read child-end forked-end ');
  });

  it('a printed process that executes another program is printed until its exit', () => {
    const next = makeProcess('next', 'login', { formerExecId: 'shell' });
    const text = printMatched(
      ['shell', startEvent(shell)],
      ['read', policyEvent(shell)],
      ['next', startEvent(next)],
      ['next-end', endEvent(next)],
    );
    assert.equal(text, 'shell read next next-end ');
  });

  it('the previous programs of a process belong to it', () => {
    const next = makeProcess('next', 'login', { formerExecId: 'shell' });
    assert.equal(
      printMatched(['shell', startEvent(shell)], ['next', startEvent(next)], ['read', policyEvent(next)]),
      'shell next read ',
    );
  });

  it('retains a bounded number of exec events', () => {
    const matched = new MatchedProcesses();
    const first = makeProcess('0', '');
    for (let i = 0; i <= 65_536; i++) matched.take(startEvent(makeProcess(String(i), '')), `${i} `);
    assert.equal(matched.take(policyEvent(first), 'read '), 'read ');
    const last = makeProcess('65536', '');
    assert.equal(matched.take(policyEvent(last), 'read '), '65536 read ');
  });
});
