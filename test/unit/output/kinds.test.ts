/** Events of hooks other than kprobes, as JSON and as a compact line. */
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
import { execEvent, fileArgument, kprobeEvent, intArgument, stringArgument } from './events.js';

function tracepointEvent(args: readonly HookArgument[], event = 'sched_process_exec'): PlainOf<ProcessTracepointEvent> {
  const { functionName: _, data: _data, ...common } = kprobeEvent('', args, { message: 'seen', tags: ['a'] });
  return { ...common, type: 'process_tracepoint', subsystem: 'sched', event };
}

function lsmEvent(args: readonly HookArgument[]): PlainOf<ProcessLsmEvent> {
  const { data: _, ...common } = kprobeEvent('file_open', args);
  return { ...common, type: 'process_lsm' };
}

function uprobeEvent(
  args: readonly HookArgument[],
  attachPoint: Partial<PlainOf<ProcessUprobeEvent>> = {},
): PlainOf<ProcessUprobeEvent> {
  const { functionName: _, ...common } = kprobeEvent('', args, { data: [intArgument(5, 0)] });
  return {
    ...common,
    type: 'process_uprobe',
    path: '/bin/a',
    symbol: 'main',
    offset: 0n,
    refCtrOffset: 0n,
    ...attachPoint,
  };
}

function usdtEvent(args: readonly HookArgument[]): PlainOf<ProcessUsdtEvent> {
  const { functionName: _, data: _data, ...common } = kprobeEvent('', args, { message: 'seen', tags: ['a'] });
  return { ...common, type: 'process_usdt', path: '/bin/a b', provider: 'app', name: 'reply' };
}

/** Parses the JSON of an event. Checks and removes the process, which is the same in all events. */
function parseOwnFields(event: PlainEvent): Record<string, unknown> {
  const json = JSON.parse(toJson(event)) as Record<string, Record<string, unknown>>;
  const { process, parent: _, ...own } = json[event.type] ?? {};
  assert.equal((process as { binary: string }).binary, '/usr/bin/cat');
  return own;
}

const CALL: HookArgument = { type: 'syscall64', index: 4, value: 257n, name: 'openat', abi: 'x64' };
const NAMELESS: HookArgument = { type: 'syscall64', index: 4, value: 9999n, abi: 'x64' };

const LOADED: PlainOf<ProcessLoaderEvent> = {
  ...execEvent({ binary: '/usr/bin/cat' }),
  type: 'process_loader',
  policyName: 'loads',
  path: '/lib/a b.so',
  buildId: '00ff',
  inode: 5n,
  device: { major: 8, minor: 1 },
};
const { buildId: _, ...WITHOUT_ID } = LOADED;
const HASHED: PlainOf<ProcessLsmEvent> = { ...lsmEvent([fileArgument('/etc/shadow')]), imaHash: 'sha256:00ff' };

describe('events of other kinds of hooks', () => {
  it('a tracepoint in JSON', () => {
    assert.deepEqual(parseOwnFields(tracepointEvent([stringArgument('/bin/a', 4)])), {
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
    assert.deepEqual(parseOwnFields(LOADED), { path: '/lib/a b.so', buildid: 'AP8=' });
  });

  it('the hash of a file in JSON', () => {
    assert.equal((parseOwnFields(HASHED) as { ima_hash?: string }).ima_hash, 'sha256:00ff');
  });

  it('an LSM hook in JSON', () => {
    assert.deepEqual(parseOwnFields(lsmEvent([fileArgument('/etc/shadow')])), {
      function_name: 'file_open',
      args: [{ file_arg: { path: '/etc/shadow', permission: '-rw-r-----' } }],
      action: 'KPROBE_ACTION_POST',
      policy_name: 'files',
    });
  });

  it('a uprobe in JSON: zeros are omitted, as everywhere', () => {
    const common = { path: '/bin/a', action: 'KPROBE_ACTION_POST', policy_name: 'files', data: [{ int_arg: 5 }] };
    assert.deepEqual(parseOwnFields(uprobeEvent([])), { ...common, symbol: 'main' });
    assert.deepEqual(
      parseOwnFields(uprobeEvent([intArgument(1, 0)], { return: intArgument(7, 0), offset: 16n, refCtrOffset: 32n })),
      {
        ...common,
        symbol: 'main',
        args: [{ int_arg: 1 }],
        return: { int_arg: 7 },
        offset: '16',
        ref_ctr_offset: '32',
      },
    );
    assert.deepEqual(parseOwnFields(uprobeEvent([], { symbol: '', address: 0x401000n })), {
      ...common,
      offset: '4198400',
    });
  });

  it('a static probe in JSON', () => {
    assert.deepEqual(parseOwnFields(usdtEvent([intArgument(1, 0)])), {
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
      [
        tracepointEvent([stringArgument('/bin/a b', 4)]),
        '📍 tracepoint node /usr/bin/cat sched/sched_process_exec "/bin/a b"',
      ],
      [tracepointEvent([CALL, intArgument(3, 1)], 'x'), '📍 tracepoint node /usr/bin/cat sched/x openat'],
      [tracepointEvent([NAMELESS], 'x'), '📍 tracepoint node /usr/bin/cat sched/x 9999'],
      [tracepointEvent([], 'x'), '📍 tracepoint node /usr/bin/cat sched/x'],
      [
        lsmEvent([fileArgument('/etc/shadow'), intArgument(3, 1)]),
        '🔒 lsm     node /usr/bin/cat file_open /etc/shadow',
      ],
      [LOADED, '🧬 loader  node /usr/bin/cat 00ff "/lib/a b.so"'],
      [WITHOUT_ID, '🧬 loader  node /usr/bin/cat "/lib/a b.so"'],
      [HASHED, '🔒 lsm     node /usr/bin/cat file_open /etc/shadow\n   sha256:00ff'],
      [uprobeEvent([stringArgument('x', 0)]), '🧷 uprobe  node /usr/bin/cat /bin/a:main x'],
      [usdtEvent([stringArgument('x', 0)]), '🕵️ usdt    node /usr/bin/cat "/bin/a b" app reply x'],
    ];
    for (const [event, line] of lines) assert.equal(formatCompact(event, { style: 'tetragon' }), line);
    assert.equal(
      formatCompact(lsmEvent([fileArgument('/etc/shadow'), intArgument(3, 1)])),
      '🔒 lsm     node /usr/bin/cat file_open /etc/shadow 3 # files',
    );
  });

  it('attach points in programs are written as in a policy', () => {
    const attachPoint = { path: '/a', symbol: 'f', offset: 0n };
    assert.equal(uprobeName(attachPoint), '/a:f');
    assert.equal(uprobeName({ ...attachPoint, offset: 16n }), '/a:f+0x10');
    assert.equal(uprobeName({ ...attachPoint, symbol: '', offset: 4096n }), '/a:0x1000');
    assert.equal(uprobeName({ ...attachPoint, symbol: '', address: 0x401000n }), '/a:0x401000');
    assert.equal(probeName({ path: '/a', provider: 'p', name: 'n' }), '/a:p:n');
  });

  it('are filtered by type and policy', () => {
    const all = [tracepointEvent([]), lsmEvent([]), uprobeEvent([])];
    assert.deepEqual(all.filter(eventFilter({ types: ['process_lsm'] })), [all[1]]);
    assert.deepEqual(all.filter(eventFilter({ policyNames: ['files'] })), all);
    assert.deepEqual(all.filter(eventFilter({ policyNames: ['other'] })), []);
  });
});
