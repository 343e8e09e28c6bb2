import assert from 'node:assert/strict';
import {
  agentInbox,
  bucketKey,
  escapeToken,
  eventSubject,
  parseEventSubject,
  unescapeToken,
} from '../../../lib/fleet/names.js';

/** Names that would be other subjects, or none at all. */
const HOSTILE = [
  '',
  '.',
  '*',
  '>',
  'a.b',
  'a b',
  'a\r\nPUB x 0',
  '=',
  '=~',
  '=41',
  'ip-10-0-0-1.ec2.internal',
  'ns/name',
  'Zürich 東京',
  '\0',
  '\ud800',
];

describe('names of a fleet', () => {
  it('a name becomes one token, and comes back', () => {
    for (const name of HOSTILE) {
      const token = escapeToken(name);
      assert.match(token, /^[\w=-]+$/);
      if (name !== '\ud800') assert.equal(unescapeToken(token), name);
    }
    assert.equal(escapeToken('web-1'), 'web-1');
    assert.equal(new Set(HOSTILE.map(escapeToken)).size, HOSTILE.length);
  });

  it('long names are cut, and stay different', () => {
    const [one, two] = [escapeToken(`${'.'.repeat(300)}1`), escapeToken(`${'.'.repeat(300)}2`)];
    assert.notEqual(one, two);
    for (const token of [one, two]) {
      assert.ok(token.length <= 200);
      assert.match(unescapeToken(token), /^\.+…$/);
    }
  });

  it('subjects have four tokens, whatever the names are', () => {
    for (const name of HOSTILE) {
      const subject = eventSubject({ cluster: name, node: name, type: name, policy: name });
      assert.equal(subject.split('.').length, 6);
      const token = escapeToken(name);
      assert.deepEqual(parseEventSubject(subject), { cluster: token, node: token, type: token, policy: token });
      assert.equal(bucketKey(name, name).split('.').length, 2);
      assert.equal(agentInbox(name, name).split('.').length, 3);
    }
    for (const other of ['polytrace.events.a.b.c', 'polytrace.events.a.b.c.d.e', 'x.events.a.b.c.d']) {
      assert.equal(parseEventSubject(other), undefined);
    }
  });
});
