import assert from 'node:assert/strict';
import { MatchedProcesses } from '../../../lib/cli/matched-processes.js';
import type { PlainEvent, PlainProcess } from '../../../types/events.js';
import { execOf, exitOf, hookOf, lostOf, processOf } from '../output/events.js';

describe('--processes matched', () => {
  const imageOf = (execId: string, parentExecId: string, more: Partial<PlainProcess> = {}): PlainProcess =>
    processOf({ execId, parentExecId, ...more });
  const shell = imageOf('shell', 'login');
  const cat = imageOf('cat', 'shell');
  const start = (process: PlainProcess): PlainEvent => execOf({}, { process });
  const end = (process: PlainProcess): PlainEvent => exitOf({}, { process });
  const read = (process: PlainProcess, more: object = {}): PlainEvent => hookOf('fd_install', [], { process, ...more });

  function shown(...events: readonly (readonly [string, PlainEvent])[]): string {
    const matched = new MatchedProcesses();
    return events.map(([text, event]) => matched.take(event, `${text} `)).join('');
  }

  it('a process without an event of a policy is not shown', () => {
    assert.equal(shown(['start', start(cat)], ['end', end(cat)], ['lost', lostOf()]), 'lost ');
  });

  it('the starts of the process and of its ancestors come before its first event, the oldest first', () => {
    const text = shown(
      ['shell', start(shell)],
      ['other', start(imageOf('other', 'shell'))],
      ['cat', start(cat)],
      ['read', read(cat)],
      ['read', read(cat)],
      ['other-end', end(imageOf('other', 'shell'))],
      ['cat-end', end(cat)],
      ['shell-end', end(shell)],
    );
    assert.equal(text, 'shell cat read read cat-end shell-end ');
  });

  it('ancestors whose start was not seen, such as forked ones, do not hide those before them', () => {
    const forked = imageOf('forked', 'shell', { forked: true });
    const child = imageOf('child', 'forked');
    const text = shown(
      ['shell', start(shell)],
      ['child', start(child)],
      ['read', read(child, { parent: forked, ancestors: [shell] })],
      ['child-end', end(child)],
      ['forked-end', end(forked)],
    );
    assert.equal(text, 'shell child read child-end forked-end ');
  });

  it('a shown process that executes another program is shown until its end', () => {
    const next = imageOf('next', 'login', { formerExecId: 'shell' });
    const text = shown(['shell', start(shell)], ['read', read(shell)], ['next', start(next)], ['next-end', end(next)]);
    assert.equal(text, 'shell read next next-end ');
  });

  it('the former programs of a process belong to it', () => {
    const next = imageOf('next', 'login', { formerExecId: 'shell' });
    assert.equal(shown(['shell', start(shell)], ['next', start(next)], ['read', read(next)]), 'shell next read ');
  });

  it('holds so many starts at most', () => {
    const matched = new MatchedProcesses();
    const first = imageOf('0', '');
    for (let i = 0; i <= 65_536; i++) matched.take(start(imageOf(String(i), '')), `${i} `);
    assert.equal(matched.take(read(first), 'read '), 'read ');
    const last = imageOf('65536', '');
    assert.equal(matched.take(read(last), 'read '), '65536 read ');
  });
});
