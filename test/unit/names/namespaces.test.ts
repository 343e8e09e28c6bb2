/** The table of namespaces has the order of the BPF programs and the names of /proc. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { NAMESPACE_NAMES, NAMESPACES } from '../../../lib/names/namespaces.js';
import { ProcessNamespaces } from '../../../lib/wire/layout.gen.js';

describe('namespaces', () => {
  it('are in the order of struct process_namespaces', () => {
    assert.equal(4 * NAMESPACES.length, ProcessNamespaces.sizeof);
    assert.deepEqual(
      NAMESPACE_NAMES.map(({ key }) => ProcessNamespaces[key]),
      NAMESPACE_NAMES.map((_, position) => 4 * position),
    );
  });

  it('have the names of the files in /proc/PID/ns', function () {
    if (process.platform !== 'linux') this.skip();
    assert.deepEqual(NAMESPACE_NAMES.map(({ file }) => file).sort(), readdirSync('/proc/self/ns').sort());
  });
});
