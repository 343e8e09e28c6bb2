/** Events in protobuf: what a client makes of them is byte for byte what the library writes for the same event. */
import assert from 'node:assert/strict';
import { fromBinary } from '@bufbuild/protobuf';
import {
  formatCompact,
  toJson,
  type HookArgument,
  type JsonOptions,
  type PlainEvent,
  type TracerEvent,
} from 'polytrace';
import {
  execOf,
  exitOf,
  fileOf,
  hookOf,
  intOf,
  lostOf,
  processOf,
  sizeOf,
  textOf,
  ALL_CAPABILITIES,
} from '../../../test/unit/output/events.js';
import {
  addressOf,
  bufferOf,
  credOf,
  mapOf,
  moduleOf,
  packetOf,
  perfOf,
  programOf,
  sockOf,
  userNamespaceOf,
} from '../../../test/unit/output/values.js';
import { viewOf } from '../../lib/client/event-view.js';
import { jsonLine, jsonObject } from '../../lib/client/json.js';
import { EventEncoder } from '../../lib/encode/events.js';
import { Writer } from '../../lib/encode/writer.js';
import { GetEventsResponseSchema } from '../../lib/proto/tetragon/events.gen.js';

const ALL: JsonOptions = { ancestors: true, processCred: true, processNs: true };

/** Through the protocol, as a client reads it. */
function sent(event: PlainEvent, options: JsonOptions = {}): { readonly json: string; readonly line: string } {
  const bytes = new EventEncoder(options).encode(event as TracerEvent).take();
  const message = fromBinary(GetEventsResponseSchema, bytes);
  const view = viewOf(message);
  assert.ok(view !== undefined);
  const json = view.type === 'lost' ? toJson(view) : jsonLine(jsonObject(GetEventsResponseSchema, message));
  return { json, line: formatCompact(view) };
}

function same(event: PlainEvent, options: JsonOptions = {}): void {
  const { json, line } = sent(event, options);
  assert.equal(json, toJson(event, options));
  assert.equal(line, formatCompact(event));
}

const call: HookArgument = { type: 'syscall64', index: 4, value: 257n, name: 'openat', abi: 'x64' };

const ARGUMENTS: Readonly<Record<string, readonly HookArgument[]>> = {
  'a file, its size and a flag': [fileOf('/etc/a b', 0), intOf(4, 1), sizeOf(17n, 2)],
  'numbers of all kinds': [
    intOf(-1, 0),
    { type: 'int8', index: 1, value: -128 },
    intOf(4294967295, 2, 'uint32'),
    { type: 'int64', index: 3, value: -(2n ** 63n) },
    { type: 'ulong', index: 4, value: 2n ** 64n - 1n },
    { type: 'long', index: 9, value: 0n },
    sizeOf(0n, 5),
  ],
  texts: [textOf('', 0), textOf('ü€🚀', 1, true), { type: 'filename', index: 2, value: '/a\nb', truncated: false }],
  'a text that could not be read': [{ type: 'string', index: 1, value: 'par', truncated: false, unreadable: true }],
  paths: [
    { ...fileOf('/x', 3), type: 'path', flags: ['truncated', 'deleted'] },
    { ...fileOf('', 1), type: 'dentry', flags: ['fault'], permission: '' },
    { ...fileOf('/p', 2), type: 'fd', fd: 7 },
    { ...fileOf('/k', 4), type: 'kiocb' },
    { ...fileOf('/bin/x', 5), type: 'linux_binprm' },
  ],
  buffers: [
    bufferOf('abc', 3),
    bufferOf('abc', 99),
    bufferOf('', 5, { unreadable: true }),
    bufferOf('a', 5, { unreadable: true }),
  ],
  sockets: [
    sockOf(),
    sockOf({ type: 'socket', index: 1, family: 'AF_UNIX', sourceAddress: '' }),
    sockOf({ unreadable: true }),
  ],
  'packets and addresses': [packetOf(), addressOf(), { type: 'sockaddr_un', index: 2, value: '@x', truncated: false }],
  'a device': [{ type: 'net_device', index: 0, value: 'eth0', truncated: false }],
  credentials: [credOf(), userNamespaceOf({ label: 'whose' }), moduleOf(), moduleOf({ type: 'load_info' })],
  'programs and maps': [programOf(), programOf({ type: 'bpf_prog' }), mapOf(), perfOf(), mapOf({ unreadable: true })],
  commands: [
    { type: 'bpf_cmd', index: 0, value: 5, name: 'BPF_PROG_LOAD' },
    { type: 'bpf_cmd', index: 1, value: 9999 },
    { type: 'capability', index: 2, value: 1, name: 'CAP_DAC_OVERRIDE' },
    { type: 'capability', index: 3, value: 63 },
    { type: 'cap_effective', index: 4, value: ALL_CAPABILITIES, names: [] },
  ],
  'system calls': [call, { type: 'syscall64', index: 0, value: 0n, name: 'read', abi: 'x64' }],
  'a system call that does not exist': [{ type: 'syscall64', index: 4, value: 2n ** 64n - 1n, abi: 'x64' }],
  labels: [{ ...intOf(1, 0), label: 'ä label' } as HookArgument],
};

/** Functions whose lines read their arguments in different ways. */
const FUNCTIONS = [
  '__x64_sys_write', 'security_file_permission', 'tcp_connect', 'tcp_sendmsg', 'security_bpf_map_alloc', 'bpf_check', 'sys_mount',
  'security_path_rename', 'sys_setns', 'sys_setuid', 'do_something', 'security_perf_event_alloc',
]; // prettier-ignore

describe('events in the protocol', () => {
  it('a process', () => {
    same(execOf());
    same(execOf({ arguments: '', argv: [], flags: 'execve clone truncArgs' }));
    same(execOf({ binaryUntrusted: true, inInitTree: true, user: 'röot', cwd: '/a b' }), ALL);
    same(execOf({ capabilities: { permitted: ALL_CAPABILITIES, effective: 1n, inheritable: 0n } }), ALL);
  });

  it('arguments that a client cannot split are sent as a list', () => {
    const processes: [string, string[]][] = [
      ['-c "cat a"', ['-c', 'cat a']],
      ['"" x', ['', 'x']],
      ['-c say "hi"', ['-c', 'say "hi"']],
      ['"a" b"', ['a" b']],
      ['a"b c', ['a"b', 'c']],
      [' a', ['', 'a']],
    ];
    for (const [text, argv] of processes) same(execOf({ arguments: text, argv }));
  });

  it('a container and its pod', () => {
    const pod = {
      namespace: 'default',
      name: 'web-1',
      uid: 'u',
      container: { id: 'containerd://ab', name: 'web', image: { id: 'sha256:1', name: 'nginx' } },
      labels: { app: 'web' },
      workload: 'web',
      workloadKind: 'Deployment',
    };
    same(execOf({ pod, container: { id: 'a'.repeat(64) } }));
  });

  it('parents, and the former image of a process that executes again', () => {
    const parent = processOf({ execId: 'cGFyZW50', pid: 1, binary: '/sbin/init', inInitTree: true });
    const former = processOf({ execId: 'Zm9ybWVy', binary: '/bin/sh' });
    same(execOf({}, { parent, ancestors: [processOf({ pid: 2 })] }), ALL);
    same(execOf({ formerExecId: 'Zm9ybWVy' }, { parent, former, ancestors: [processOf({ pid: 2 })] }), ALL);
  });

  it('an exit', () => {
    same(exitOf());
    same(exitOf({ arguments: '', argv: [] }, { status: 255 }));
    same(exitOf({}, { signal: 'SIGKILL', coreDumped: true }));
  });

  for (const [what, args] of Object.entries(ARGUMENTS)) {
    it(`${what}, for each function that shows its arguments`, () => {
      for (const name of FUNCTIONS) same(hookOf(name, args));
    });
  }

  it('return values, data, messages, tags and actions', () => {
    const more = {
      data: [intOf(5, 0)],
      return: intOf(-2, 0),
      returnAction: 'post',
      message: 'seen',
      tags: ['a', 'b'],
    } as const;
    same(hookOf('sys_read', [fileOf('/x')], more));
    const actions = [
      { action: 'post' },
      { action: 'signal', signal: 10, outcome: 'done' },
      { action: 'sigkill', signal: 9, outcome: 'done' },
      { action: 'override', value: -1, outcome: 'failed' },
      { action: 'override', registers: ['rax=1', 'rip=2'], outcome: 'done' },
      { action: 'override', target: 'main', outcome: 'protected' },
      { action: 'set', index: 0, value: 0, outcome: 'done' },
      { action: 'notifyEnforcer', signal: 9, value: -1, outcome: 'done', onReturn: true },
      { action: 'trackSock' },
      { action: 'getUrl', url: '', outcome: 'started' },
      { action: 'dnsLookup', name: 'example.org', outcome: 'dropped' },
    ] as const;
    same(
      hookOf('sys_read', [], { policyMode: 'enforce', action: 'sigkill', actions, suppressed: 3, ofSocketOwner: true }),
    );
  });

  it('stack traces', () => {
    const kernelStack = [{ symbol: 'vfs_read', offset: 16n, module: 'xfs' }, { address: 2n ** 63n }, {}];
    const userStack = [{ symbol: 'main', offset: 0n, module: '/bin/a b', fileOffset: 4n, buildId: '00ff' }];
    same(hookOf('sys_read', [], { kernelStack, userStack }));
  });

  it('other kinds of hooks', () => {
    const {
      functionName: _,
      data: _data,
      ...common
    } = hookOf('', [textOf('/bin/a', 4), call], { message: 'm', tags: ['t'] });
    same({ ...common, type: 'process_tracepoint', subsystem: 'sched', event: 'sched_switch' });
    same({ ...common, type: 'process_lsm', functionName: 'file_open', imaHash: 'sha256:00ff' });
    same({ ...common, type: 'process_usdt', path: '/bin/a b', provider: 'app', name: 'reply' });
    const place = { path: '/bin/a', data: [], refCtrOffset: 32n, return: intOf(1, 0) };
    same({ ...common, type: 'process_uprobe', ...place, symbol: 'main', offset: 16n });
    same({ ...common, type: 'process_uprobe', ...place, symbol: '', offset: 0n, address: 0x401136n });
    const loader = { policyName: '', path: '/lib/a.so', inode: 5n, device: { major: 0, minor: 0 } };
    same({ ...execOf(), type: 'process_loader', ...loader, buildId: '00ff' });
    same({ ...execOf(), type: 'process_loader', ...loader });
  });

  it('a loss says its hook, policy and reason', () => {
    same(lostOf());
    same(lostOf({ policyName: '', count: 2 ** 40 }));
  });

  it('a byte that is not UTF-8 becomes U+FFFD, because the protocol has only UTF-8', () => {
    const { json } = sent(hookOf('x', [textOf('a\udc80b', 0)]));
    assert.deepEqual((JSON.parse(json) as { process_kprobe: { args: unknown } }).process_kprobe.args, [
      { string_arg: 'a\ufffd'.concat('b') },
    ]);
    sent(execOf({ binary: '/a\udc80', arguments: '\udcff', argv: ['\udcff'] }));
  });

  it('one process is encoded once', () => {
    const encoder = new EventEncoder();
    let reads = 0;
    const process = {
      ...processOf(),
      get cwd() {
        reads += 1;
        return '/root';
      },
    };
    const event = { ...execOf(), process } as unknown as TracerEvent;
    const first = encoder.encode(event).take();
    assert.deepEqual(encoder.encode(event).take(), first);
    assert.equal(reads, 1);
  });

  it('the writer grows, and writes numbers of all sizes', () => {
    const w = new Writer();
    for (const value of [0n, 127n, 128n, 16383n, 16384n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n, -1n]) {
      w.reset();
      w.longAlways(8, value);
      const expected: number[] = [8];
      let left = BigInt.asUintN(64, value);
      for (; left > 127n; left >>= 7n) expected.push(Number(left & 127n) | 128);
      expected.push(Number(left));
      assert.deepEqual([...w.take()], expected, String(value));
    }
    w.reset();
    const long = 'x'.repeat(300_000);
    w.text(10, long);
    w.text(18, 'y');
    assert.equal(Buffer.from(w.take()).toString('latin1').endsWith(long), true);
    assert.equal(w.length, 3 + 4 + 300_000);
  });
});
