/** Events of other hooks than kprobes, as JSON and as a line. */
import assert from 'node:assert/strict';
import { formatCompact } from '../../../lib/output/compact.js';
import { eventFilter } from '../../../lib/output/filters.js';
import { toJson } from '../../../lib/output/json.js';
import { uprobeName, probeName } from '../../../lib/names/attach-points.js';
import type {
  PlainOf,
  HookArgument,
  ProcessLoaderEvent,
  ProcessLsmEvent,
  ProcessTracepointEvent,
  ProcessUprobeEvent,
  ProcessUsdtEvent,
  PlainEvent,
} from '../../../types/events.js';
import { execOf, fileOf, hookOf, intOf, textOf } from './events.js';

function tracepointOf(args: readonly HookArgument[], event = 'sched_process_exec'): PlainOf<ProcessTracepointEvent> {
  const { functionName: _, data: _data, ...common } = hookOf('', args, { message: 'seen', tags: ['a'] });
  return { ...common, type: 'process_tracepoint', subsystem: 'sched', event };
}

function lsmOf(args: readonly HookArgument[]): PlainOf<ProcessLsmEvent> {
  const { data: _, ...common } = hookOf('file_open', args);
  return { ...common, type: 'process_lsm' };
}

function uprobeOf(
  args: readonly HookArgument[],
  place: Partial<PlainOf<ProcessUprobeEvent>> = {},
): PlainOf<ProcessUprobeEvent> {
  const { functionName: _, ...common } = hookOf('', args, { data: [intOf(5, 0)] });
  return { ...common, type: 'process_uprobe', path: '/bin/a', symbol: 'main', offset: 0n, refCtrOffset: 0n, ...place };
}

function usdtOf(args: readonly HookArgument[]): PlainOf<ProcessUsdtEvent> {
  const { functionName: _, data: _data, ...common } = hookOf('', args, { message: 'seen', tags: ['a'] });
  return { ...common, type: 'process_usdt', path: '/bin/a b', provider: 'app', name: 'reply' };
}

/** The JSON of an event without the process, which is the same in all events. */
function inner(event: PlainEvent): Record<string, unknown> {
  const json = JSON.parse(toJson(event)) as Record<string, Record<string, unknown>>;
  const { process, parent: _, ...own } = json[event.type] ?? {};
  assert.equal((process as { binary: string }).binary, '/usr/bin/cat');
  return own;
}

const CALL: HookArgument = { type: 'syscall64', index: 4, value: 257n, name: 'openat', abi: 'x64' };
const NAMELESS: HookArgument = { type: 'syscall64', index: 4, value: 9999n, abi: 'x64' };

const LOADED: PlainOf<ProcessLoaderEvent> = {
  ...execOf({ binary: '/usr/bin/cat' }),
  type: 'process_loader',
  policyName: 'loads',
  path: '/lib/a b.so',
  buildId: '00ff',
  inode: 5n,
  device: { major: 8, minor: 1 },
};
const { buildId: _, ...WITHOUT_ID } = LOADED;
const HASHED: PlainOf<ProcessLsmEvent> = { ...lsmOf([fileOf('/etc/shadow')]), imaHash: 'sha256:00ff' };

describe('events of other kinds of hooks', () => {
  it('a tracepoint in JSON', () => {
    assert.deepEqual(inner(tracepointOf([textOf('/bin/a', 4)])), {
      subsys: 'sched',
      event: 'sched_process_exec',
      args: [{ string_arg: '/bin/a' }],
      action: 'KPROBE_ACTION_POST',
      policy_name: 'files',
      message: 'seen',
      tags: ['a'],
    });
  });

  it('a mapping in JSON: the build id in base64', () => {
    assert.deepEqual(inner(LOADED), { path: '/lib/a b.so', buildid: 'AP8=' });
  });

  it('the hash of a file in JSON', () => {
    assert.equal((inner(HASHED) as { ima_hash?: string }).ima_hash, 'sha256:00ff');
  });

  it('an LSM hook in JSON', () => {
    assert.deepEqual(inner(lsmOf([fileOf('/etc/shadow')])), {
      function_name: 'file_open',
      args: [{ file_arg: { path: '/etc/shadow', permission: '-rw-r-----' } }],
      action: 'KPROBE_ACTION_POST',
      policy_name: 'files',
    });
  });

  it('a uprobe in JSON: zeros are omitted, as everywhere', () => {
    const common = { path: '/bin/a', action: 'KPROBE_ACTION_POST', policy_name: 'files', data: [{ int_arg: 5 }] };
    assert.deepEqual(inner(uprobeOf([])), { ...common, symbol: 'main' });
    assert.deepEqual(inner(uprobeOf([intOf(1, 0)], { return: intOf(7, 0), offset: 16n, refCtrOffset: 32n })), {
      ...common,
      symbol: 'main',
      args: [{ int_arg: 1 }],
      return: { int_arg: 7 },
      offset: '16',
      ref_ctr_offset: '32',
    });
    assert.deepEqual(inner(uprobeOf([], { symbol: '', address: 0x401000n })), { ...common, offset: '4198400' });
  });

  it('a static probe in JSON', () => {
    assert.deepEqual(inner(usdtOf([intOf(1, 0)])), {
      path: '/bin/a b',
      provider: 'app',
      name: 'reply',
      policy_name: 'files',
      message: 'seen',
      args: [{ int_arg: 1 }],
      tags: ['a'],
      action: 'KPROBE_ACTION_POST',
    });
  });

  it('as a line', () => {
    const lines: readonly (readonly [PlainEvent, string])[] = [
      [tracepointOf([textOf('/bin/a b', 4)]), '📍 tracepoint node /usr/bin/cat sched/sched_process_exec "/bin/a b"'],
      [tracepointOf([CALL, intOf(3, 1)], 'x'), '📍 tracepoint node /usr/bin/cat sched/x openat'],
      [tracepointOf([NAMELESS], 'x'), '📍 tracepoint node /usr/bin/cat sched/x 9999'],
      [tracepointOf([], 'x'), '📍 tracepoint node /usr/bin/cat sched/x'],
      [lsmOf([fileOf('/etc/shadow'), intOf(3, 1)]), '🔒 lsm     node /usr/bin/cat file_open /etc/shadow'],
      [LOADED, '🧬 loader  node /usr/bin/cat 00ff "/lib/a b.so"'],
      [WITHOUT_ID, '🧬 loader  node /usr/bin/cat "/lib/a b.so"'],
      [HASHED, '🔒 lsm     node /usr/bin/cat file_open /etc/shadow\n   sha256:00ff'],
      [uprobeOf([textOf('x', 0)]), '🧷 uprobe  node /usr/bin/cat /bin/a:main x'],
      [usdtOf([textOf('x', 0)]), '🕵️ usdt    node /usr/bin/cat "/bin/a b" app reply x'],
    ];
    for (const [event, line] of lines) assert.equal(formatCompact(event, { style: 'tetragon' }), line);
    assert.equal(
      formatCompact(lsmOf([fileOf('/etc/shadow'), intOf(3, 1)])),
      '🔒 lsm     node /usr/bin/cat file_open /etc/shadow 3 # files',
    );
  });

  it('places in programs are written as in a policy', () => {
    const place = { path: '/a', symbol: 'f', offset: 0n };
    assert.equal(uprobeName(place), '/a:f');
    assert.equal(uprobeName({ ...place, offset: 16n }), '/a:f+0x10');
    assert.equal(uprobeName({ ...place, symbol: '', offset: 4096n }), '/a:0x1000');
    assert.equal(uprobeName({ ...place, symbol: '', address: 0x401000n }), '/a:0x401000');
    assert.equal(probeName({ path: '/a', provider: 'p', name: 'n' }), '/a:p:n');
  });

  it('are filtered by type and policy', () => {
    const all = [tracepointOf([]), lsmOf([]), uprobeOf([])];
    assert.deepEqual(all.filter(eventFilter({ types: ['process_lsm'] })), [all[1]]);
    assert.deepEqual(all.filter(eventFilter({ policyNames: ['files'] })), all);
    assert.deepEqual(all.filter(eventFilter({ policyNames: ['other'] })), []);
  });
});
