import assert from 'node:assert/strict';
import { capabilityNames } from '../../../lib/names/capabilities.js';
import { readHostNamespaces } from '../../../lib/process/host-namespaces.js';
import { toJson } from '../../../lib/output/json.js';
import type { HookArgument, PlainEvent } from '../../../types/events.js';
import type { JsonOptions } from '../../../types/output.js';
import { fileArgument, intArgument, sizeArgument, stringArgument } from './arguments.js';
import { ALL_CAPABILITIES, execEvent, exitEvent, kprobeEvent, lostEvent, plainProcess } from './events.js';

type Json = Record<string, unknown>;

const FULL = { ancestors: true, processCred: true, processNs: true } as const;

function parseEvent(event: PlainEvent, options?: JsonOptions): Json {
  const line = toJson(event, options);
  assert.doesNotMatch(line, /\n/);
  return JSON.parse(line) as Json;
}

function parseFields(event: PlainEvent, options?: JsonOptions): Json {
  return parseEvent(event, options)[event.type] as Json;
}

function parseProcess(event: PlainEvent, options?: JsonOptions): Json {
  return parseFields(event, options)['process'] as Json;
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
  tid: 210,
  in_init_tree: false,
};

const { tid, in_init_tree, ...IDENTITY } = PROCESS;

/** A process with credentials and namespaces, in the order of the export. */
const FULL_PROCESS = {
  ...IDENTITY,
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
  tid,
  process_credentials: { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, fsuid: 0, fsgid: 0 },
  in_init_tree,
};

describe('JSON output', () => {
  it('of an exec has the names and the nesting of the export', () => {
    const parent = plainProcess({ pid: 209, binary: '/usr/bin/bash', argv: [], arguments: '' });
    const init = plainProcess({ pid: 1, binary: '/sbin/init' });
    const { arguments: text, in_init_tree: _, ...others } = PROCESS;
    const event = execEvent({}, { parent, ancestors: [init], tid: 211 });
    const outer = { node_name: 'node', time: '2026-11-24T14:36:50.316744941Z' };
    const lean = {
      process: { ...PROCESS, tid: 211 },
      parent: { ...others, pid: 209, tid: 209, binary: '/usr/bin/bash' },
    };
    assert.deepEqual(parseEvent(event), { process_exec: lean, ...outer });
    const ancestors = [{ ...others, arguments: text, pid: 1, tid: 1, binary: '/sbin/init' }];
    assert.deepEqual(parseEvent(event, { ancestors: true }), { process_exec: { ...lean, ancestors }, ...outer });
    assert.deepEqual(parseProcess(event, { processCred: true, processNs: true }), { ...FULL_PROCESS, tid: 211 });
    const { cap, process_credentials: ids, ns } = FULL_PROCESS;
    assert.deepEqual(parseProcess(event, { processCred: true }), {
      ...PROCESS,
      tid: 211,
      cap,
      process_credentials: ids,
    });
    assert.deepEqual(parseProcess(event, { processNs: true }), { ...PROCESS, tid: 211, ns });
  });

  it('adds ancestors to the selected types of events', () => {
    const ancestors = [plainProcess({ pid: 1 })];
    const events = [execEvent({}, { ancestors }), exitEvent({}, { ancestors }), kprobeEvent('f', [], { ancestors })];
    const options = { ancestors: ['process_exec', 'process_kprobe'] } as const;
    assert.deepEqual(
      events.map((event) => 'ancestors' in parseFields(event, options)),
      [true, false, true],
    );
  });

  it('has the key order of the export', () => {
    assert.deepEqual(Object.keys(parseProcess(execEvent(), FULL)), Object.keys(FULL_PROCESS));
    assert.deepEqual(Object.keys(parseProcess(execEvent())), Object.keys(PROCESS));
  });

  it('has the effective user id; the event has both', () => {
    const credentials = { ...plainProcess().credentials, uid: 1000, euid: 7 };
    const event = execEvent({ uid: 1000, credentials });
    assert.equal(parseProcess(event)['uid'], 7);
    assert.equal((parseProcess(event, FULL)['process_credentials'] as Json)['uid'], 1000);
  });

  it('of a process that has executed again names its previous exec as parent', () => {
    const starter = plainProcess({ pid: 209, execId: 'c3RhcnRlcg==' });
    const former = plainProcess({ execId: 'Zm9ybWVy', binary: '/bin/sh' });
    const again = { formerExecId: 'Zm9ybWVy', parentExecId: starter.execId };
    const event = execEvent(again, { parent: starter, former, ancestors: [plainProcess({ pid: 1 })] });
    const { process, parent, ancestors } = parseFields(event, { ancestors: true }) as Record<string, Json>;
    assert.equal(process?.['parent_exec_id'], 'Zm9ybWVy');
    assert.equal(parent?.['exec_id'], 'Zm9ybWVy');
    assert.deepEqual(
      (ancestors as unknown as Json[]).map(({ pid }) => pid),
      [209, 1],
    );
    // No other process replaces a previous exec that is not retained.
    assert.equal('parent' in parseFields(execEvent(again, { parent: starter })), false);
  });

  it('has the user, and the special properties of the executable', () => {
    const file = { inode: 2n ** 60n, links: 0, path: '/memfd:x' };
    const binaryProperties = { setuid: 0, privilegesRaised: ['setuid'], file } as const;
    const event = execEvent({ user: 'root', inInitTree: true, binaryProperties });
    const process = parseProcess(event);
    assert.deepEqual(parseProcess(event, { processCred: true })['user'], { name: 'root' });
    assert.equal('user' in process, false);
    assert.equal(process['in_init_tree'], true);
    assert.deepEqual(process['binary_properties'], {
      setuid: 0,
      privileges_changed: ['PRIVILEGES_RAISED_EXEC_FILE_SETUID'],
      file: { inode: { number: '1152921504606846976', links: 0 }, path: '/memfd:x' },
    });
  });

  const killed = { action: 'sigkill', signal: 9, outcome: 'done' } as const;
  const returned: readonly (readonly [
    title: string,
    fields: Partial<ReturnType<typeof kprobeEvent>>,
    action: string,
  ])[] = [
    ['nothing was done', {}, 'POST'],
    ['the return was read', { returnAction: 'post' }, 'POST'],
    ['an action at the return', { returnAction: 'override', actions: [killed] }, 'OVERRIDE'],
    ['Sigkill', { action: 'sigkill', actions: [killed] }, 'SIGKILL'],
    ['Sigkill, the return was read', { action: 'sigkill', returnAction: 'post', actions: [killed] }, 'SIGKILL'],
    ['Signal 9', { action: 'signal', actions: [{ ...killed, action: 'signal' }] }, 'SIGKILL'],
    ['Signal 15', { action: 'signal', actions: [{ ...killed, action: 'signal', signal: 15 }] }, 'POST'],
    ['Sigkill in mode monitor', { actions: [{ ...killed, outcome: 'monitored' }] }, 'POST'],
  ];
  for (const [title, fields, action] of returned) {
    it(`return_action: ${title}: ${action}`, () => {
      assert.equal(parseFields(kprobeEvent('f', [], fields))['return_action'], `KPROBE_ACTION_${action}`);
    });
  }

  it('of an exit omits a status of 0, and repeats the time inside the event', () => {
    const time = '2026-11-24T14:36:50.316744941Z';
    assert.deepEqual(parseFields(exitEvent()), { process: PROCESS, time });
    assert.deepEqual(parseFields(exitEvent({}, { status: 3 })), { process: PROCESS, status: 3, time });
    assert.deepEqual(parseFields(exitEvent({}, { signal: 'SIGSEGV' })), { process: PROCESS, signal: 'SIGSEGV', time });
  });

  it('of a hook has function, arguments, return value, actions and policy', () => {
    const event = kprobeEvent('security_file_permission', [fileArgument('/etc/shadow'), intArgument(4, 1)], {
      return: { type: 'int', index: 0, value: 0 },
      returnAction: 'post',
      message: 'sensitive file',
      tags: ['files', 'T1003'],
    });
    assert.deepEqual(parseFields(event), {
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
    const event = kprobeEvent('f', [intArgument(1, 0)], { data: [stringArgument('bash', 0), intArgument(-2, 1)] });
    assert.deepEqual(parseFields(event)['args'], [{ int_arg: 1 }]);
    assert.deepEqual(parseFields(event)['data'], [{ string_arg: 'bash' }, { int_arg: -2 }]);
  });

  it('of a hook omits absent fields', () => {
    assert.deepEqual(Object.keys(parseFields(kprobeEvent('f', []))), [
      'process',
      'function_name',
      'action',
      'policy_name',
      'return_action',
    ]);
  });

  const args: readonly (readonly [argument: HookArgument, json: Json])[] = [
    [intArgument(-1, 0), { int_arg: -1 }],
    [intArgument(0, 0), { int_arg: 0 }],
    [intArgument(4294967295, 0, 'uint32'), { uint_arg: 4294967295 }],
    [sizeArgument(18446744073709551615n, 0), { size_arg: '18446744073709551615' }],
    [stringArgument('a "b"\n', 0), { string_arg: 'a "b"\n' }],
    [{ type: 'filename', index: 0, value: '/x', truncated: false }, { string_arg: '/x' }],
    [
      { ...intArgument(7, 0), label: 'mode' },
      { int_arg: 7, label: 'mode' },
    ],
    [fileArgument('/x', 0, { type: 'fd', fd: 3 }), { file_arg: { path: '/x', permission: '-rw-r-----' } }],
    [
      fileArgument('/x', 0, { type: 'path', flags: ['truncated', 'deleted'] }),
      { path_arg: { path: '/x', flags: 'truncated deleted', permission: '-rw-r-----' } },
    ],
    [fileArgument('', 0, { permission: '', flags: ['fault'] }), { file_arg: { flags: 'fault' } }],
    [fileArgument('', 0, { permission: '' }), { file_arg: {} }],
  ];
  for (const [argument, json] of args) {
    it(`of the argument ${argument.type} ${JSON.stringify(json)}`, () => {
      assert.deepEqual(parseFields(kprobeEvent('f', [argument]))['args'], [json]);
    });
  }

  it('of a loss', () => {
    assert.deepEqual(parseEvent(lostEvent()), {
      lost: { hook: 'security_file_permission', policy_name: 'files', reason: 'ring_full', count: 12 },
      node_name: 'node',
      time: '2026-11-24T14:36:50.316744941Z',
    });
  });

  it('lists capabilities, with the one name that has no prefix', () => {
    const event = execEvent({ capabilities: { permitted: ALL_CAPABILITIES, effective: 3n, inheritable: 0n } });
    const cap = parseProcess(event, FULL)['cap'] as Record<string, string[]>;
    assert.equal(cap['permitted']?.length, 41);
    assert.equal(cap['permitted']?.[40], 'CAP_CHECKPOINT_RESTORE');
    assert.deepEqual(cap['effective'], ['CAP_CHOWN', 'DAC_OVERRIDE']);
    assert.equal('inheritable' in cap, false);
    assert.deepEqual(capabilityNames(1n << 63n), []);
  });

  it('contains the pod', () => {
    const image = { id: 'sha256:1', name: 'nginx:1' };
    const startTime = '2026-01-01T00:00:00Z';
    const flags = { privileged: true, maybeExecProbe: true } as const;
    const container = { id: 'abc', runtime: 'containerd', name: 'web', image, startTime, ...flags };
    const labels = { app: 'web\u202e' };
    const annotations = { a: 'b' };
    const pod = { namespace: 'default', name: 'web-0', uid: 'u', labels, annotations, workload: 'web', container };
    assert.ok(!toJson(execEvent({ pod })).includes('\u202e'));
    assert.deepEqual((parseFields(execEvent({ pod }))['process'] as Json)['pod'], {
      namespace: 'default',
      name: 'web-0',
      uid: 'u',
      container: {
        id: 'containerd://abc',
        name: 'web',
        image,
        start_time: startTime,
        maybe_exec_probe: true,
        security_context: { privileged: true },
      },
      pod_labels: labels,
      workload: 'web',
      pod_annotations: annotations,
    });
  });

  it('encodes a process once, and each event with its own thread', () => {
    const process = plainProcess();
    let reads = 0;
    const counted = new Proxy(process, {
      get(target, key, receiver) {
        reads += 1;
        return Reflect.get(target, key, receiver) as unknown;
      },
    });
    const first = toJson(execEvent({}, { process: counted, tid: 1 }));
    reads = 0;
    const second = toJson(execEvent({}, { process: counted, tid: 2 }));
    assert.ok(reads <= 5, `${reads}`); // The number of the process, its container, pod and tree.
    assert.equal(second, first.replace('"tid":1', '"tid":2'));
  });
});

describe('size of the JSON', () => {
  /** A machine with all capabilities and namespaces, and a shell with its ancestors. */
  const common = {
    execId: Buffer.from('worker-1:115281503493:210').toString('base64'),
    parentExecId: Buffer.from('worker-1:114834258041:209').toString('base64'),
    capabilities: { permitted: ALL_CAPABILITIES, effective: ALL_CAPABILITIES, inheritable: 0n },
    namespaces: { ...plainProcess().namespaces, net: 4026531840 },
    user: 'root',
  };
  const above = [
    plainProcess({ ...common, pid: 209, binary: '/usr/bin/bash', argv: [], arguments: '' }),
    plainProcess({ ...common, pid: 150, binary: '/usr/sbin/sshd', arguments: '-D -R', flags: 'procFS' }),
    plainProcess({ ...common, pid: 80, binary: '/usr/sbin/sshd', arguments: '-D', flags: 'procFS' }),
    plainProcess({
      ...common,
      pid: 1,
      binary: '/usr/lib/systemd/systemd',
      arguments: '--switched-root',
      flags: 'procFS',
    }),
  ] as const;
  const process = plainProcess(common);
  const [parent, ...ancestors] = above;
  const events: readonly (readonly [title: string, event: PlainEvent])[] = [
    ['exec', execEvent({}, { process, parent, ancestors })],
    ['exit', exitEvent({}, { process, parent, ancestors })],
    [
      'kprobe with a file',
      kprobeEvent('security_file_permission', [fileArgument('/etc/shadow'), intArgument(4, 1)], {
        process,
        parent,
        ancestors,
      }),
    ],
  ];
  for (const [title, event] of events) {
    it(`${title}: at most 900 bytes by default`, () => {
      const sizes = [toJson(event, FULL), toJson(event)].map((text) => Buffer.byteLength(text));
      console.log(`      ${title}: ${sizes[0]} bytes with everything, ${sizes[1]} by default`);
      assert.ok((sizes[1] ?? 0) <= 900 && (sizes[0] ?? 0) > 10_000);
    });
  }
});

describe('namespaces of the host', () => {
  const namespaceLink = (numbers: Record<string, number>) => (name: string) => `${name}:[${numbers[name] ?? 0}]`;

  it('mnt and net are the namespaces of pid 1', () => {
    const inodes = readHostNamespaces(namespaceLink({ pid: 4026531836, mnt: 4026531841, net: 4026531900 }));
    assert.deepEqual([inodes.mnt, inodes.net], [[4026531841], [4026531900]]);
    assert.deepEqual(inodes.uts, [4026531838]);
  });

  it("pid 1 of a container is not the host's", () => {
    assert.ok(!readHostNamespaces(namespaceLink({ pid: 4026532001, mnt: 4026532002 })).mnt.includes(4026532002));
  });

  it('have fixed numbers if /proc cannot be read', () => {
    const inodes = readHostNamespaces(() => {
      throw new Error('EACCES');
    });
    assert.ok(inodes.mnt.includes(4026531832) && inodes.net.includes(4026531833));
  });

  it('writes the own values of each event, even if events share one array of tags', () => {
    const tags = ['files'];
    const hookFields = (fields: Parameters<typeof kprobeEvent>[2]): Json =>
      parseFields(kprobeEvent('fd_install', [], { tags, ...fields }));
    const first = { message: 'a file', policyName: 'one' };
    assert.equal(hookFields(first)['message'], 'a file');
    assert.equal(hookFields({ ...first, message: 'another' })['message'], 'another');
    assert.equal(hookFields({ ...first, policyName: 'two' })['policy_name'], 'two');
    assert.equal(hookFields({ ...first, suppressed: 3 })['suppressed'], 3);
    assert.equal(hookFields({ ...first, action: 'signal' })['action'], 'KPROBE_ACTION_SIGNAL');
    assert.equal(hookFields({ ...first, returnAction: 'override' })['return_action'], 'KPROBE_ACTION_OVERRIDE');
    const again = hookFields(first);
    assert.deepEqual(
      [again['message'], again['policy_name'], again['suppressed'], again['action'], again['return_action']],
      ['a file', 'one', undefined, 'KPROBE_ACTION_POST', 'KPROBE_ACTION_POST'],
    );
  });

  it('writes a file without flags like one with flags', () => {
    const fileArgs = (path: string, fields = {}): unknown =>
      parseFields(kprobeEvent('fd_install', [fileArgument(path, 0, fields)]))['args'];
    const permission = '-rw-r--r--';
    for (const path of ['/etc/shadow', '/a "quoted"\nname', '/\u202e', '/sp ace', '/ü']) {
      assert.deepEqual(fileArgs(path, { permission }), [{ file_arg: { path, permission } }]);
      const deleted = { permission, flags: ['deleted'] };
      assert.deepEqual(fileArgs(path, deleted), [{ file_arg: { path, flags: 'deleted', permission } }]);
    }
    assert.deepEqual(fileArgs('/x', { permission: '' }), [{ file_arg: { path: '/x' } }]);
  });
});
