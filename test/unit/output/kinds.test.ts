/** Events of each type, as JSON and as a compact line. */
import assert from 'node:assert/strict';
import { formatCompact } from '../../../lib/output/compact.js';
import { eventFilter } from '../../../lib/output/filters.js';
import { toJson } from '../../../lib/output/json.js';
import { uprobeName, probeName } from '../../../lib/names/attach-points.js';
import type {
  EventType,
  PlainOf,
  HookArgument,
  ProcessLsmEvent,
  ProcessTracepointEvent,
  ProcessUprobeEvent,
  PlainEvent,
} from '../../../types/events.js';
import { fileArgument, intArgument, stringArgument } from './arguments.js';
import { EXAMPLE_EVENTS } from './events.js';

function tracepointEvent(args: readonly HookArgument[], event = 'sched_process_exec'): PlainOf<ProcessTracepointEvent> {
  return { ...EXAMPLE_EVENTS.process_tracepoint, event, args };
}

function lsmEvent(args: readonly HookArgument[]): PlainOf<ProcessLsmEvent> {
  return { ...EXAMPLE_EVENTS.process_lsm, args };
}

function uprobeEvent(
  args: readonly HookArgument[],
  attachPoint: Partial<PlainOf<ProcessUprobeEvent>> = {},
): PlainOf<ProcessUprobeEvent> {
  return { ...EXAMPLE_EVENTS.process_uprobe, args, ...attachPoint };
}

/** Parses the JSON of an event. Checks and removes the process, which is the same in all events. */
function parseOwnFields(event: PlainEvent): Record<string, unknown> {
  const json = JSON.parse(toJson(event)) as Record<string, Record<string, unknown>>;
  const hasProcess = 'process' in event && event.type !== 'process_throttle';
  const { process, parent: _, ...own } = json[event.type] ?? {};
  assert.equal((process as { binary: string } | undefined)?.binary, hasProcess ? '/usr/bin/cat' : undefined);
  return own;
}

const CALL: HookArgument = { type: 'syscall64', index: 4, value: 257n, name: 'openat', abi: 'x64' };
const NAMELESS: HookArgument = { type: 'syscall64', index: 4, value: 9999n, abi: 'x64' };
const POSTED = { action: 'KPROBE_ACTION_POST', policy_name: 'files' };
const HOOK = { ...POSTED, args: [{ int_arg: 1 }], message: 'seen', tags: ['a'] };

/** What is shown of the example of each type: the fields of its JSON without the process, and its line. */
const SHOWN: Readonly<Record<EventType, readonly [own: Readonly<Record<string, unknown>>, line: string]>> = {
  process_exec: [{}, '🚀 process node /usr/bin/cat /etc/shadow'],
  process_exit: [{ time: '2026-11-24T14:36:50.316744941Z' }, '💥 exit    node /usr/bin/cat /etc/shadow 0'],
  process_kprobe: [
    {
      ...POSTED,
      function_name: 'do_x',
      args: [{ file_arg: { path: '/etc/a b', permission: '-rw-r-----' } }],
      return_action: 'KPROBE_ACTION_POST',
    },
    '❓ kprobe  node /usr/bin/cat do_x "/etc/a b" # files',
  ],
  process_tracepoint: [
    { ...HOOK, subsys: 'sched', event: 'sched_switch' },
    '📍 tracepoint node /usr/bin/cat sched/sched_switch 1 # seen',
  ],
  process_lsm: [{ ...HOOK, function_name: 'file_open' }, '🔒 lsm     node /usr/bin/cat file_open 1 # seen'],
  process_uprobe: [{ ...HOOK, path: '/bin/a', symbol: 'main' }, '🧷 uprobe  node /usr/bin/cat /bin/a:main 1 # seen'],
  process_usdt: [
    { ...HOOK, path: '/bin/a b', provider: 'app', name: 'reply' },
    '🕵️ usdt    node /usr/bin/cat "/bin/a b" app reply 1 # seen',
  ],
  process_loader: [
    // the build id is in base64
    { path: '/lib/a b.so', buildid: 'AP8=' },
    '🧬 loader  node /usr/bin/cat 00ff "/lib/a b.so"',
  ],
  process_throttle: [{ type: 'THROTTLE_START', cgroup: 'web a' }, '🧬 throttle node START "web a"'],
  change: [
    {
      operation: 'policy_replace',
      policy_name: 'guard',
      before: 'a'.repeat(64),
      after: 'b'.repeat(64),
      enabled: false,
      mode: 'monitor',
      way: 'client',
      client: { address: 'unix', pid: 7, uid: 0, gid: 0, exec_id: 'id', binary: '/usr/bin/polytrace' },
    },
    '📝 change  node policy_replace guard disabled monitor aaaaaaaaaaaa→bbbbbbbbbbbb by /usr/bin/polytrace (pid 7, uid 0)',
  ],
  lost: [
    { hook: 'security_file_permission', policy_name: 'files', reason: 'ring_full', count: 12 },
    '⚠️  lost    node security_file_permission 12 events (ring_full)',
  ],
};

describe('events of each type', () => {
  for (const [type, [own, line]] of Object.entries(SHOWN) as [EventType, (typeof SHOWN)[EventType]][]) {
    it(type, () => {
      assert.deepEqual(parseOwnFields(EXAMPLE_EVENTS[type]), own);
      assert.equal(formatCompact(EXAMPLE_EVENTS[type]), line);
    });
  }

  it('the hash of a file in JSON', () => {
    const event = { ...EXAMPLE_EVENTS.process_lsm, imaHash: 'sha256:00ff' };
    assert.equal((parseOwnFields(event) as { ima_hash?: string }).ima_hash, 'sha256:00ff');
  });

  it('a uprobe in JSON: zeros are omitted, as everywhere', () => {
    const { args: _, ...common } = HOOK;
    const event = uprobeEvent([], {
      data: [intArgument(5, 0)],
      return: intArgument(7, 0),
      offset: 16n,
      refCtrOffset: 32n,
    });
    const attachPoint = { path: '/bin/a', symbol: 'main', offset: '16', ref_ctr_offset: '32' };
    assert.deepEqual(parseOwnFields(event), {
      ...common,
      ...attachPoint,
      data: [{ int_arg: 5 }],
      args: [{ int_arg: 7 }],
      return: { int_arg: 7 },
    });
    assert.deepEqual(parseOwnFields(uprobeEvent([], { symbol: '', address: 0x401000n })), {
      ...common,
      path: '/bin/a',
      offset: '4198400',
    });
  });

  it('in the style of Tetragon', () => {
    const { buildId: _, ...withoutId } = EXAMPLE_EVENTS.process_loader;
    const entry = { ...tracepointEvent([CALL, intArgument(3, 1)], 'sys_enter'), subsystem: 'raw_syscalls' };
    const lines: readonly (readonly [PlainEvent, string])[] = [
      [tracepointEvent([stringArgument('/bin/a b', 4)]), '⁉️ tracepoint node /usr/bin/cat sched sched_process_exec'],
      [entry, '☎ syscall node /usr/bin/cat openat'],
      [{ ...entry, args: [NAMELESS] }, '☎ syscall node /usr/bin/cat 9999'],
      [lsmEvent([fileArgument('/etc/shadow'), intArgument(3, 1)]), '🔒 LSM     node /usr/bin/cat file_open'],
      [withoutId, '🧬 loader  node /usr/bin/cat "/lib/a b.so"'],
      [
        { ...lsmEvent([fileArgument('/etc/shadow')]), imaHash: 'sha256:00ff' },
        '🔒 LSM     node /usr/bin/cat file_open\n   sha256:00ff',
      ],
      [uprobeEvent([stringArgument('x', 0)]), '🕵️ uprobe  node /usr/bin/cat /bin/a main'],
      [EXAMPLE_EVENTS.process_usdt, '🕵️ usdt    node /usr/bin/cat "/bin/a b" app reply'],
    ];
    for (const [event, line] of lines) assert.equal(formatCompact(event, { style: 'tetragon' }), line);
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
