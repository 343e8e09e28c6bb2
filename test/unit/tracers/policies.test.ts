/** The policies that `polytrace trace NAME --show` prints are valid, and have the filters of the command line. */
import assert from 'node:assert/strict';
import { compilePolicy } from '../../../lib/policy/index.js';
import { TRACERS } from '../../../lib/tracers/index.js';
import { formatPolicy, selectors } from '../../../lib/tracers/policy-text.js';
import { OPTIONS } from './support.js';

const KERNEL_FILTERS = ['open', 'files', 'accept', 'dns', 'bind', 'mount', 'signals', 'kill', 'capable', 'modules', 'slow-fs', 'latency', 'tls']; // prettier-ignore

describe('policies of tracers', () => {
  for (const { name, policies, takes } of TRACERS) {
    const functions = ['vfs_fsync_range', 'sys_openat', '/usr/lib/libc.so.6:malloc', 'a.b', 'a_b'];
    const options = { ...OPTIONS, library: '/usr/lib/libssl.so', functions };
    policies(options).forEach((yaml, i) => {
      it(`${name}: policy ${i + 1} compiles`, () => {
        assert.equal(compilePolicy(yaml).name, 'trace');
        assert.match(yaml, /^# /);
      });
    });

    it(`${name}: its own options and the filters compile, too`, () => {
      const all = Object.fromEntries(Object.keys(takes ?? {}).map((key) => [key, true]));
      const filtered = { ...options, ...all, library: '/x', pids: [5, 6], binaries: ['nginx'] };
      for (const yaml of policies(filtered)) {
        assert.ok(compilePolicy(yaml).hooks.length > 0);
        assert.equal(yaml.includes('matchPIDs'), KERNEL_FILTERS.includes(name));
        if (KERNEL_FILTERS.includes(name)) assert.match(yaml, /operator: Postfix, values: \[\/nginx\]/);
      }
    });
  }

  it('names of tracers are different, and each says what it needs', () => {
    assert.equal(new Set(TRACERS.map(({ name }) => name)).size, 18);
    for (const { needs, summary } of TRACERS) assert.ok(needs !== '' && summary !== '');
  });
});

describe('formatPolicy', () => {
  it('quotes what YAML would read as something else', () => {
    const yaml = formatPolicy('p', ['note'], { lists: [{ name: 'a', values: ['no', '1', 'a b', '-x', 'sys_dup'] }] });
    assert.match(yaml, /values: \["no", "1", "a b", "-x", sys_dup\]/);
  });

  it('compares complete paths only if all values are some', () => {
    assert.deepEqual(selectors({ pids: [], binaries: ['/bin/a'] }), [
      { matchBinaries: [{ operator: 'In', values: ['/bin/a'] }] },
    ]);
    assert.deepEqual(selectors({ pids: [3], binaries: ['/bin/a', 'b'] }), [
      { matchPIDs: [{ operator: 'In', values: [3] }], matchBinaries: [{ operator: 'Postfix', values: ['/bin/a', '/b'] }] },
    ]); // prettier-ignore
    assert.equal(selectors({ pids: [], binaries: [] }), undefined);
  });
});
