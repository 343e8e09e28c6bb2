import assert from 'node:assert/strict';
import { capabilityNames } from '../../../lib/names/capabilities.js';
import { hostNamespaces } from '../../../lib/process/host-namespaces.js';
import { toJson } from '../../../lib/output/json.js';
import type { HookArgument, PlainEvent } from '../../../types/events.js';
import {
  ALL_CAPABILITIES,
  execOf,
  exitOf,
  fileOf,
  hookOf,
  intOf,
  lostOf,
  processOf,
  sizeOf,
  textOf,
} from './events.js';

type Json = Record<string, unknown>;

function parsed(event: PlainEvent): Json {
  const line = toJson(event);
  assert.doesNotMatch(line, /\n/);
  return JSON.parse(line) as Json;
}

function inner(event: PlainEvent): Json {
  return parsed(event)[event.type] as Json;
}

const PROCESS = {
  exec_id: 'bm9kZToxMDA6MjEw',
  pid: 210,
  uid: 0,
  cwd: '/root',
  binary: '/usr/bin/cat',
  arguments: '/etc/shadow',
  flags: 'execve clone',
  start_time: '2026-11-24T14:36:49.875507609Z',
  auid: 4294967295,
  parent_exec_id: 'bm9kZTo5MDoyMDk=',
  cap: {},
  ns: {
    uts: { inum: 4026531838, is_host: true },
    ipc: { inum: 4026531839, is_host: true },
    mnt: { inum: 4026532999 },
    pid: { inum: 4026531836, is_host: true },
    pid_for_children: { inum: 4026531836, is_host: true },
    time: { inum: 4026531834, is_host: true },
    time_for_children: { inum: 4026531834, is_host: true },
    cgroup: { inum: 4026531835, is_host: true },
    user: { inum: 4026531837, is_host: true },
  },
  tid: 210,
  process_credentials: { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, fsuid: 0, fsgid: 0 },
};

describe('JSON output', () => {
  it('of an exec has the names and the nesting of the export', () => {
    const parent = processOf({ pid: 209, binary: '/usr/bin/bash', argv: [], arguments: '' });
    const init = processOf({ pid: 1, binary: '/sbin/init' });
    const { arguments: _, ...withoutArguments } = PROCESS;
    assert.deepEqual(parsed(execOf({}, { parent, ancestors: [init], tid: 211 })), {
      process_exec: {
        process: { ...PROCESS, tid: 211 },
        parent: { ...withoutArguments, pid: 209, tid: 209, binary: '/usr/bin/bash' },
        ancestors: [{ ...PROCESS, pid: 1, tid: 1, binary: '/sbin/init' }],
      },
      node_name: 'node',
      time: '2026-11-24T14:36:50.316744941Z',
    });
  });

  it('keeps the order of the keys of the export', () => {
    assert.deepEqual(Object.keys(inner(execOf())['process'] as Json), Object.keys(PROCESS));
  });

  it('of an exit omits a status of 0, and has the time inside as well', () => {
    const time = '2026-11-24T14:36:50.316744941Z';
    assert.deepEqual(inner(exitOf()), { process: PROCESS, time });
    assert.deepEqual(inner(exitOf({}, { status: 3 })), { process: PROCESS, status: 3, time });
    assert.deepEqual(inner(exitOf({}, { signal: 'SIGSEGV' })), { process: PROCESS, signal: 'SIGSEGV', time });
  });

  it('of a hook has function, arguments, return value, actions and policy', () => {
    const event = hookOf('security_file_permission', [fileOf('/etc/shadow'), intOf(4, 1)], {
      return: { type: 'int', index: 0, value: 0 },
      returnAction: 'post',
      message: 'sensitive file',
      tags: ['files', 'T1003'],
    });
    assert.deepEqual(inner(event), {
      process: PROCESS,
      function_name: 'security_file_permission',
      args: [{ file_arg: { path: '/etc/shadow', permission: '-rw-r-----' } }, { int_arg: 4 }],
      return: { int_arg: 0 },
      action: 'KPROBE_ACTION_POST',
      policy_name: 'files',
      return_action: 'KPROBE_ACTION_POST',
      message: 'sensitive file',
      tags: ['files', 'T1003'],
    });
  });

  it('of a hook has the values of `data` in their own list', () => {
    const event = hookOf('f', [intOf(1, 0)], { data: [textOf('bash', 0), intOf(-2, 1)] });
    assert.deepEqual(inner(event)['args'], [{ int_arg: 1 }]);
    assert.deepEqual(inner(event)['data'], [{ string_arg: 'bash' }, { int_arg: -2 }]);
  });

  it('of a hook omits absent fields', () => {
    assert.deepEqual(Object.keys(inner(hookOf('f', []))), ['process', 'function_name', 'action', 'policy_name']);
  });

  const args: readonly (readonly [argument: HookArgument, json: Json])[] = [
    [intOf(-1, 0), { int_arg: -1 }],
    [intOf(0, 0), { int_arg: 0 }],
    [intOf(4294967295, 0, 'uint32'), { uint_arg: 4294967295 }],
    [sizeOf(18446744073709551615n, 0), { size_arg: '18446744073709551615' }],
    [textOf('a "b"\n', 0), { string_arg: 'a "b"\n' }],
    [{ type: 'filename', index: 0, value: '/x', truncated: false }, { string_arg: '/x' }],
    [
      { ...intOf(7, 0), label: 'mode' },
      { int_arg: 7, label: 'mode' },
    ],
    [fileOf('/x', 0, { type: 'fd', fd: 3 }), { file_arg: { path: '/x', permission: '-rw-r-----' } }],
    [
      fileOf('/x', 0, { type: 'path', flags: ['truncated', 'deleted'] }),
      { path_arg: { path: '/x', flags: 'truncated deleted', permission: '-rw-r-----' } },
    ],
    [fileOf('', 0, { permission: '', flags: ['fault'] }), { file_arg: { flags: 'fault' } }],
    [fileOf('', 0, { permission: '' }), { file_arg: {} }],
  ];
  for (const [argument, json] of args) {
    it(`of the argument ${argument.type} ${JSON.stringify(json)}`, () => {
      assert.deepEqual(inner(hookOf('f', [argument]))['args'], [json]);
    });
  }

  it('of a loss', () => {
    assert.deepEqual(parsed(lostOf()), {
      lost: { hook: 'security_file_permission', policy_name: 'files', reason: 'ring_full', count: 12 },
      node_name: 'node',
      time: '2026-11-24T14:36:50.316744941Z',
    });
  });

  it('lists capabilities, with the one name that has no prefix', () => {
    const event = execOf({ capabilities: { permitted: ALL_CAPABILITIES, effective: 3n, inheritable: 0n } });
    const cap = (inner(event)['process'] as Json)['cap'] as Record<string, string[]>;
    assert.equal(cap['permitted']?.length, 41);
    assert.equal(cap['permitted']?.[40], 'CAP_CHECKPOINT_RESTORE');
    assert.deepEqual(cap['effective'], ['CAP_CHOWN', 'DAC_OVERRIDE']);
    assert.equal('inheritable' in cap, false);
    assert.deepEqual(capabilityNames(1n << 63n), []);
  });

  it('contains the pod', () => {
    const container = { id: 'containerd://abc', name: 'web', image: { id: 'sha256:1', name: 'nginx:1' } };
    const pod = { namespace: 'default', name: 'web-0', uid: 'u', labels: { app: 'web' }, workload: 'web', container };
    assert.deepEqual((inner(execOf({ pod }))['process'] as Json)['pod'], {
      namespace: 'default',
      name: 'web-0',
      uid: 'u',
      container,
      pod_labels: { app: 'web' },
      workload: 'web',
    });
  });

  it('encodes a process once, and each event with its own thread', () => {
    const process = processOf();
    let reads = 0;
    const counted = new Proxy(process, {
      get(target, key, receiver) {
        reads += 1;
        return Reflect.get(target, key, receiver) as unknown;
      },
    });
    const first = toJson(execOf({}, { process: counted, tid: 1 }));
    const readsOfOne = reads;
    const second = toJson(execOf({}, { process: counted, tid: 2 }));
    assert.equal(reads, readsOfOne);
    assert.equal(second, first.replace('"tid":1', '"tid":2'));
  });
});

describe('namespaces of the host', () => {
  const link = (numbers: Record<string, number>) => (name: string) => `${name}:[${numbers[name] ?? 0}]`;

  it('mnt and net are those of pid 1', () => {
    const inodes = hostNamespaces(link({ pid: 4026531836, mnt: 4026531841, net: 4026531900 }));
    assert.deepEqual([inodes.mnt, inodes.net], [[4026531841], [4026531900]]);
    assert.deepEqual(inodes.uts, [4026531838]);
  });

  it("pid 1 of a container is not the host's", () => {
    assert.ok(!hostNamespaces(link({ pid: 4026532001, mnt: 4026532002 })).mnt.includes(4026532002));
  });

  it('the fixed numbers, if /proc cannot be read', () => {
    const inodes = hostNamespaces(() => {
      throw new Error('EACCES');
    });
    assert.ok(inodes.mnt.includes(4026531832) && inodes.net.includes(4026531833));
  });
});
