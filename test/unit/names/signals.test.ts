import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { signalName } from '../../../lib/names/signals.js';

describe('signal names', () => {
  it('are the names of this platform, without aliases', function () {
    if (process.platform !== 'linux') this.skip();
    const aliases = new Set(['SIGIOT', 'SIGPOLL', 'SIGUNUSED']);
    const known = Object.entries(constants.signals).filter(([name]) => !aliases.has(name));
    assert.ok(known.length >= 30);
    for (const [name, number] of known) assert.equal(signalName(number), name);
  });

  it('number real-time signals as kill -l does', () => {
    assert.deepEqual([32, 34, 35, 64].map(signalName), ['SIG32', 'SIGRTMIN', 'SIGRTMIN+1', 'SIGRTMIN+30']);
  });
});
