/** Events in protobuf: a client's output is byte for byte equal to what the library writes for the same event. */
import assert from 'node:assert/strict';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { formatCompact, redactor, toJson } from '../../../lib/output/index.js';
import type {
  EventType,
  HookArgument,
  JsonOptions,
  Redactor,
  PerformedAction,
  PlainEvent,
  PlainProcess,
  Pod,
  TracerEvent,
} from '../../../types/index.js';
import { fileArgument, intArgument, sizeArgument, stringArgument } from '../output/arguments.js';
import {
  EXAMPLE_EVENTS,
  execEvent,
  exitEvent,
  kprobeEvent,
  changeEvent,
  lostEvent,
  plainProcess,
  ALL_CAPABILITIES,
} from '../output/events.js';
import {
  socketAddressArgument,
  bufferArgument,
  credentialsArgument,
  bpfMapArgument,
  EXAMPLE_ARGUMENTS,
  moduleArgument,
  packetArgument,
  perfEventArgument,
  bpfProgramArgument,
  socketArgument,
  userNamespaceArgument,
} from '../output/values.js';
import { toPlainEvent } from '../../../lib/protocol/plain-event.js';
import { formatJsonLine, toJsonObject } from '../../../lib/protocol/json.js';
import { EventEncoder } from '../../../lib/encode/events.js';
import { restoreRawBytes } from '../../../lib/encode/raw-bytes.js';
import { Writer } from '../../../lib/encode/writer.js';
import { GetEventsResponseSchema } from '../../../lib/proto/tetragon/events.gen.js';
import { ProcessExecSchema, ProcessSchema, RawBytesSchema } from '../../../lib/proto/tetragon/tetragon.gen.js';

const ALL: JsonOptions = { ancestors: true, processCred: true, processNs: true };

/** Encodes the event and formats it as a client does. */
function roundTrip(event: PlainEvent, options: JsonOptions = {}): { readonly json: string; readonly line: string } {
  const bytes = new EventEncoder(options).encode(event as TracerEvent).take();
  const message = fromBinary(GetEventsResponseSchema, bytes);
  restoreRawBytes(GetEventsResponseSchema, message, bytes);
  const view = toPlainEvent(message);
  assert.ok(view !== undefined);
  const json = view.type === 'lost' ? toJson(view) : formatJsonLine(toJsonObject(GetEventsResponseSchema, message));
  return { json, line: formatCompact(view) };
}

/** The environment that a client sees. */
function decodeEvent(event: PlainEvent): { readonly environment: unknown } {
  const bytes = new EventEncoder({}).encode(event as TracerEvent).take();
  const message = fromBinary(GetEventsResponseSchema, bytes);
  restoreRawBytes(GetEventsResponseSchema, message, bytes);
  const view = toPlainEvent(message);
  return { environment: view?.type === 'process_exec' ? view.environment : undefined };
}

function assertSameOutput(event: PlainEvent, options: JsonOptions = {}): void {
  const { json, line } = roundTrip(event, options);
  assert.equal(json, toJson(event, options));
  assert.equal(line, formatCompact(event));
}

const call: HookArgument = { type: 'syscall64', index: 4, value: 257n, name: 'openat', abi: 'x64' };

const ARGUMENTS: Readonly<Record<string, readonly HookArgument[]>> = {
  'a file, its size and a flag': [fileArgument('/etc/a b', 0), intArgument(4, 1), sizeArgument(17n, 2)],
  'numbers of all kinds': [
    intArgument(-1, 0),
    { type: 'int8', index: 1, value: -128 },
    intArgument(4294967295, 2, 'uint32'),
    { type: 'int64', index: 3, value: -(2n ** 63n) },
    { type: 'ulong', index: 4, value: 2n ** 64n - 1n },
    { type: 'long', index: 9, value: 0n },
    sizeArgument(0n, 5),
  ],
  texts: [
    stringArgument('', 0),
    stringArgument('ü€🚀', 1, true),
    { type: 'filename', index: 2, value: '/a\nb', truncated: false },
  ],
  'a text that could not be read': [{ type: 'string', index: 1, value: 'par', truncated: false, unreadable: true }],
  paths: [
    { ...fileArgument('/x', 3), type: 'path', flags: ['truncated', 'deleted'] },
    { ...fileArgument('', 1), type: 'dentry', flags: ['fault'], permission: '' },
    { ...fileArgument('/p', 2), type: 'fd', fd: 7 },
    { ...fileArgument('/k', 4), type: 'kiocb' },
    { ...fileArgument('/bin/x', 5), type: 'linux_binprm' },
  ],
  buffers: [
    bufferArgument('abc', 3),
    bufferArgument('abc', 99),
    bufferArgument('', 5, { unreadable: true }),
    bufferArgument('a', 5, { unreadable: true }),
  ],
  sockets: [
    socketArgument(),
    socketArgument({ type: 'socket', index: 1, family: 'AF_UNIX', sourceAddress: '' }),
    socketArgument({ unreadable: true }),
  ],
  'packets and addresses': [
    packetArgument(),
    socketAddressArgument(),
    { type: 'sockaddr_un', index: 2, value: '@x', truncated: false },
  ],
  'a device': [{ type: 'net_device', index: 0, value: 'eth0', truncated: false }],
  credentials: [
    credentialsArgument(),
    userNamespaceArgument({ label: 'whose' }),
    moduleArgument(),
    moduleArgument({ type: 'load_info' }),
  ],
  'programs and maps': [
    bpfProgramArgument(),
    bpfProgramArgument({ type: 'bpf_prog' }),
    bpfMapArgument(),
    perfEventArgument(),
    bpfMapArgument({ unreadable: true }),
  ],
  commands: [
    { type: 'bpf_cmd', index: 0, value: 5, name: 'BPF_PROG_LOAD' },
    { type: 'bpf_cmd', index: 1, value: 9999 },
    { type: 'capability', index: 2, value: 1, name: 'CAP_DAC_OVERRIDE' },
    { type: 'capability', index: 3, value: 63 },
    { type: 'cap_effective', index: 4, value: ALL_CAPABILITIES, names: [] },
  ],
  'system calls': [call, { type: 'syscall64', index: 0, value: 0n, name: 'read', abi: 'x64' }],
  'a system call that does not exist': [{ type: 'syscall64', index: 4, value: 2n ** 64n - 1n, abi: 'x64' }],
  labels: [{ ...intArgument(1, 0), label: 'ä label' }],
};

type WithAction<A extends PerformedAction['action']> = PerformedAction & { readonly action: A };
/** The actions that a hook reports, with each of their members. */
const ACTIONS: {
  readonly [A in PerformedAction['action']]: readonly [WithAction<A>, ...WithAction<A>[]];
} = {
  post: [{ action: 'post' }],
  signal: [{ action: 'signal', signal: 10, outcome: 'done' }],
  sigkill: [{ action: 'sigkill', signal: 9, outcome: 'done' }],
  override: [
    { action: 'override', value: -1, outcome: 'failed' },
    { action: 'override', registers: ['rax=1', 'rip=2'], outcome: 'done' },
    { action: 'override', target: 'main', outcome: 'protected' },
  ],
  set: [{ action: 'set', index: 0, value: 0, outcome: 'done' }],
  notifyEnforcer: [{ action: 'notifyEnforcer', signal: 9, value: -1, outcome: 'done', onReturn: true }],
  cleanupEnforcerNotification: [{ action: 'cleanupEnforcerNotification' }],
  mark: [{ action: 'mark', mark: 'seen' }],
  unmark: [{ action: 'unmark', mark: 'seen', onReturn: true }],
  trackSock: [{ action: 'trackSock' }],
  untrackSock: [{ action: 'untrackSock' }],
  getUrl: [{ action: 'getUrl', url: '', outcome: 'started' }],
  dnsLookup: [{ action: 'dnsLookup', name: 'example.org', outcome: 'dropped' }],
};

/** Functions whose compact lines format their arguments in different ways. */
const FUNCTIONS = [
  '__x64_sys_write', 'security_file_permission', 'tcp_connect', 'tcp_sendmsg', 'security_bpf_map_alloc', 'bpf_check', 'sys_mount',
  'security_path_rename', 'sys_setns', 'sys_setuid', 'do_something', 'security_perf_event_alloc',
]; // prettier-ignore

/** Strings as traced programs can choose them. */
const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }).map((value) => value.replace(/\p{Surrogate}/gu, '')),
  fc.string({ unit: fc.constantFrom(' ', '"', '\\', '\n', 'a', '\u{202e}'), maxLength: 6 }),
);
const name = fc.string({ minLength: 1, maxLength: 12 });
const pairs = fc.option(fc.dictionary(name, text, { maxKeys: 3 }), { nil: undefined });
const u32 = fc.nat({ max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const absent = { requiredKeys: [] as never[] };

const pods = fc
  .record(
    {
      uid: text,
      labels: pairs,
      annotations: pairs,
      workload: text,
      workloadKind: text,
      container: fc
        .record(
          {
            runtime: name,
            name: text,
            image: fc.record({ id: text, name: text }, absent),
            privileged: fc.boolean(),
            maybeExecProbe: fc.constant(true as const),
          },
          absent,
        )
        .map((fields) => ({ id: 'ab'.repeat(32), startTime: '2026-11-24T14:36:49.500000001Z', ...fields })),
    },
    absent,
  )
  .map((fields) => ({ namespace: 'shop', name: 'web', ...fields }));

const properties = fc
  .record({ setuid: u32, setgid: u32, file: fc.record({ inode: u64, links: u32, path: text }) }, absent)
  .chain((fields) =>
    fc
      .subarray(['fileCapabilities', 'setuid', 'setgid'] as const)
      .map((privilegesRaised) => ({ ...fields, privilegesRaised })),
  );

const processes = fc
  .record(
    {
      pid: u32,
      auid: u32,
      cwd: text,
      flags: text,
      user: name,
      inInitTree: fc.boolean(),
      binaryUntrusted: fc.boolean(),
      formerExecId: name,
      container: fc.constant({ id: 'ab'.repeat(32) }),
      pod: pods,
      binaryProperties: properties,
      argv: fc.array(text, { maxLength: 4 }),
    },
    absent,
  )
  .map((fields) => {
    const present = Object.entries(fields).filter(([, value]) => value !== undefined);
    const { argv = ['/etc/shadow'] } = fields;
    const joined = argv.map((arg) => (arg === '' || arg.includes(' ') ? `"${arg}"` : arg)).join(' ');
    return plainProcess({ ...Object.fromEntries(present), argv, arguments: joined });
  });

const random = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((value) => intArgument(value, 0)),
  u32.map((value) => intArgument(value, 0, 'uint32')),
  u64.map((value) => sizeArgument(value, 0)),
  fc
    .record({ value: text, truncated: fc.boolean() })
    .map(({ value, truncated }) => stringArgument(value, 0, truncated)),
  text.map((path) => fileArgument(path)),
  fc.uint8Array({ maxLength: 40 }).map((value) => bufferArgument(Buffer.from(value).toString('latin1'), 50)),
  fc.constantFrom(...Object.values(ARGUMENTS).flat()),
);
const argument = fc
  .record({ value: random, index: fc.nat({ max: 9 }), label: fc.option(name, { nil: undefined }) })
  .map(({ value, index, label }) => ({ ...value, index, ...(label !== undefined && { label }) }));
const values = fc.array(argument, { maxLength: 5 });

const hooks = fc
  .record({ name: fc.constantFrom(...FUNCTIONS), args: values, message: text, tags: fc.array(text, { maxLength: 3 }) })
  .map(({ name: function_, args, ...fields }) => kprobeEvent(function_, args, fields));
const functions = fc
  .record({ hook: hooks, data: values, result: fc.option(argument, { nil: undefined }), suppressed: u32 })
  .map(({ hook, data, result, suppressed }) => ({ ...hook, data, suppressed, ...(result && { return: result }) }));

const eventsOfProcesses: Readonly<Record<Exclude<EventType, 'lost'>, fc.Arbitrary<PlainEvent>>> = {
  process_exec: fc.constant(execEvent()),
  process_exit: fc.record({ status: fc.nat({ max: 255 }) }).map((fields) => exitEvent({}, fields)),
  process_kprobe: functions,
  process_tracepoint: fc.record({ hook: hooks, subsystem: name, event: name }).map(({ hook, ...fields }) => {
    const { functionName: _, data: _data, ...common } = hook;
    return { ...common, type: 'process_tracepoint', ...fields } as const;
  }),
  process_lsm: hooks.map(({ data: _, ...common }) => ({ ...common, type: 'process_lsm' }) as const),
  process_usdt: fc.record({ hook: hooks, path: name, provider: name, name }).map(({ hook, ...fields }) => {
    const { functionName: _, data: _data, ...common } = hook;
    return { ...common, type: 'process_usdt', ...fields } as const;
  }),
  process_uprobe: fc
    .record({ hook: functions, path: name, symbol: text, offset: u64, refCtrOffset: u64 })
    .map(
      ({ hook: { functionName: _, ...common }, ...fields }) =>
        ({ ...common, type: 'process_uprobe', ...fields }) as const,
    ),
  process_throttle: fc.record({ cgroup: text, throttle: fc.constantFrom('start', 'stop') }).map((fields) => {
    return { ...execEvent(), type: 'process_throttle', cgroupId: 0n, ...fields } as const;
  }),
  change: fc
    .record({
      operation: fc.constantFrom('policy_add', 'setting_change', 'agent_stop'),
      policyName: text,
      policyNamespace: text,
      source: text,
      way: fc.constantFrom('client', 'file'),
      client: fc.record({ address: name, binary: name, certificate: text, execId: name, pid: u32, uid: u32, gid: u32 }),
      enabled: fc.boolean(),
      setting: name,
    })
    .map((fields) => changeEvent(fields)),
  process_loader: text.map((path) => {
    return { ...execEvent(), type: 'process_loader', policyName: '', path, inode: 5n, device: { major: 0, minor: 0 } };
  }),
};
const EVENTS = fc
  .record({
    event: fc.oneof(...Object.values(eventsOfProcesses)),
    process: processes,
    parent: fc.option(processes),
    former: processes,
  })
  .map(({ event, process, parent, former }) => ({
    ...event,
    process,
    ...(parent !== null && { parent, ancestors: [plainProcess({ pid: 2 })] }),
    ...(process.formerExecId !== undefined && { former }),
  })) as fc.Arbitrary<PlainEvent>;
const OPTIONS = fc.record({ ancestors: fc.boolean(), processCred: fc.boolean(), processNs: fc.boolean() });

/** Counts the fields that the generated code does not know. */
function countUnknownFields(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  const { $unknown: own = [], ...fields } = value as { $unknown?: unknown[] };
  return Object.values(fields).reduce<number>((sum, field) => sum + countUnknownFields(field), own.length);
}

describe('events in the protocol', () => {
  it('a process', () => {
    assertSameOutput(execEvent());
    assertSameOutput(execEvent({ arguments: '', argv: [], flags: 'execve clone truncArgs' }));
    const environment = [
      { name: 'PATH', value: '/bin:/a b' },
      { name: 'EMPTY', value: '' },
      { name: '', value: 'grüße' },
    ];
    assertSameOutput(execEvent({}, { environment }));
    assert.deepEqual(decodeEvent(execEvent({}, { environment })), { environment });
    assertSameOutput(execEvent({}, { environment: [] }));
    const redact: Redactor = (text) => (text.startsWith('PATH=') ? [[5, text.length]] : []);
    assertSameOutput(execEvent({}, { environment }), { redact });
    assertSameOutput(execEvent({ binaryUntrusted: true, inInitTree: true, user: 'röot', cwd: '/a b' }), ALL);
    assertSameOutput(execEvent({ capabilities: { permitted: ALL_CAPABILITIES, effective: 1n, inheritable: 0n } }), ALL);
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
    for (const [text, argv] of processes) assertSameOutput(execEvent({ arguments: text, argv }));
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
    assertSameOutput(execEvent({ pod, container: { id: 'a'.repeat(64) } }));
  });

  it('parents, and the former image of a process that executes again', () => {
    const parent = plainProcess({ execId: 'cGFyZW50', pid: 1, binary: '/sbin/init', inInitTree: true });
    const former = plainProcess({ execId: 'Zm9ybWVy', binary: '/bin/sh' });
    assertSameOutput(execEvent({}, { parent, ancestors: [plainProcess({ pid: 2 })] }), ALL);
    assertSameOutput(
      execEvent({ formerExecId: 'Zm9ybWVy' }, { parent, former, ancestors: [plainProcess({ pid: 2 })] }),
      ALL,
    );
  });

  it('an exit', () => {
    assertSameOutput(exitEvent());
    assertSameOutput(exitEvent({ arguments: '', argv: [] }, { status: 255 }));
    assertSameOutput(exitEvent({}, { signal: 'SIGKILL', coreDumped: true }));
  });

  for (const [what, args] of Object.entries(ARGUMENTS)) {
    it(`${what}, for each function that shows its arguments`, () => {
      for (const name of FUNCTIONS) assertSameOutput(kprobeEvent(name, args));
    });
  }

  for (const [type, value] of Object.entries(EXAMPLE_ARGUMENTS)) {
    it(`a value of type ${type}, for each function that shows its arguments`, () => {
      for (const name of FUNCTIONS) assertSameOutput(kprobeEvent(name, [value]));
    });
  }

  it('return values, data, messages, tags and actions', () => {
    const more = {
      data: [intArgument(5, 0)],
      return: intArgument(-2, 0),
      returnAction: 'post',
      message: 'seen',
      tags: ['a', 'b'],
    } as const;
    assertSameOutput(kprobeEvent('sys_read', [fileArgument('/x')], more));
    assertSameOutput(
      kprobeEvent('sys_read', [], {
        policyMode: 'enforce',
        action: 'sigkill',
        actions: Object.values(ACTIONS).flat(),
        suppressed: 3,
        ofSocketOwner: true,
      }),
    );
  });

  it('marks with their causes', () => {
    const marks = [
      {
        mark: 'm',
        scope: 'container',
        cause: {
          time: '1970-01-01T00:00:01.000000002Z',
          timeNs: 1_000_000_002n,
          ageNs: 5n,
          execId: 'x',
          pid: 7,
          command: 'cat',
          functionName: 'f',
          argument: '/a',
        },
      },
      { mark: 'n', scope: 'process' },
    ] as const;
    assertSameOutput(kprobeEvent('sys_read', [], { marks }));
    assertSameOutput(kprobeEvent('sys_read', [], { actions: [{ action: 'mark', mark: 'm' }, { action: 'post' }] }));
  });

  it('stack traces', () => {
    const kernelStack = [{ symbol: 'vfs_read', offset: 16n, module: 'xfs' }, { address: 2n ** 63n }, {}];
    const userStack = [{ symbol: 'main', offset: 0n, module: '/bin/a b', fileOffset: 4n, buildId: '00ff' }];
    assertSameOutput(kprobeEvent('sys_read', [], { kernelStack, userStack }));
  });

  for (const event of Object.values(EXAMPLE_EVENTS)) it(event.type, () => assertSameOutput(event));

  it('other fields of events', () => {
    const { process_tracepoint: tracepoint, process_lsm: lsm, process_uprobe: uprobe } = EXAMPLE_EVENTS;
    assertSameOutput({ ...tracepoint, args: [stringArgument('/bin/a', 4), call] });
    assertSameOutput({ ...lsm, imaHash: 'sha256:00ff' });
    assertSameOutput({ ...uprobe, offset: 16n, refCtrOffset: 32n, return: intArgument(1, 0) });
    assertSameOutput({ ...uprobe, symbol: '', offset: 0n, address: 0x401136n });
    const { buildId: _, ...loader } = EXAMPLE_EVENTS.process_loader;
    assertSameOutput(loader);
    assertSameOutput(lostEvent({ policyName: '', count: 2 ** 40 }));
  });

  it('a byte that is not UTF-8 is U+FFFD in the text, and the client gets all bytes', () => {
    const bytes = new EventEncoder().encode(execEvent({ binary: '/a\udc80' }) as TracerEvent).take();
    const { event } = fromBinary(GetEventsResponseSchema, bytes);
    assert.equal(event.case === 'processExec' ? event.value.process?.binary : '', '/a\ufffd');
    const texts = [stringArgument('a\udc80b', 0), fileArgument('/\udcfe', 1)];
    assertSameOutput(kprobeEvent('x', texts));
    assert.match(roundTrip(kprobeEvent('x', texts)).json, /"string_arg":"a\ufffdb","string_arg_bytes":"YYBi"/);
    const redact = redactor([{ redact: ['-p (\\S+)'] }]);
    const hidden = execEvent({ arguments: '-p secret \udcff', argv: ['-p', 'secret', '\udcff'] });
    assert.equal(roundTrip(hidden, { redact }).json, toJson(hidden, { redact }));
    assert.match(toJson(hidden, { redact }), /"arguments":"-p \*+ \ufffd","arguments_bytes":/);
    assertSameOutput(execEvent({ binary: '/a\udc80', cwd: '/\udcff', arguments: 'x \udcff', argv: ['x', '\udcff'] }));
    const environment = [{ name: 'A', value: '\udc81' }];
    assert.deepEqual(decodeEvent(execEvent({}, { environment })).environment, environment);
  });

  it('bytes for a text that a message does not have are ignored', () => {
    const rawBytes = [1, 3, 99].map((field) => create(RawBytesSchema, { field, index: 7, value: Buffer.of(0x80) }));
    const process = create(ProcessSchema, { binary: '/a', rawBytes });
    const message = create(GetEventsResponseSchema, {
      event: { case: 'processExec', value: create(ProcessExecSchema, { process }) },
    });
    const bytes = toBinary(GetEventsResponseSchema, message);
    restoreRawBytes(GetEventsResponseSchema, message, bytes);
    const { event } = message;
    assert.equal(event.case === 'processExec' ? event.value.process?.binary : '', '/a');
  });

  it('random events of all kinds, with random options', () => {
    const seed = Date.now() & 0x7fffffff;
    fc.assert(
      fc.property(EVENTS, OPTIONS, (event, options) => {
        assertSameOutput(event, options);
        // the library writes the same fields and can parse all of them
        const bytes = new EventEncoder(options).encode(event as TracerEvent).take();
        const message = fromBinary(GetEventsResponseSchema, bytes);
        assert.equal(toBinary(GetEventsResponseSchema, message).length, bytes.length);
        assert.equal(countUnknownFields(message), 0);
      }),
      { seed, numRuns: 250 },
    );
  });

  it('a container outside of Kubernetes, whole', () => {
    const container = {
      id: 'ab'.repeat(32),
      runtime: 'docker',
      owner: 0,
      name: 'web',
      image: { id: 'sha256:1', name: 'nginx:1' },
      labels: { app: 'shop', empty: '' },
      startTime: '2026-01-02T03:04:05.123456789Z',
      privileged: false,
    };
    for (const each of [container, { id: 'c1', podUid: 'uid' }]) {
      const event = execEvent({ container: each });
      assertSameOutput(event);
      const bytes = new EventEncoder({}).encode(event as TracerEvent).take();
      const view = toPlainEvent(fromBinary(GetEventsResponseSchema, bytes));
      assert.ok(view?.type === 'process_exec');
      assert.deepEqual(view.process.container, each);
    }
  });

  it('a pod that becomes known later is in the next event, also for the same container', () => {
    const encoder = new EventEncoder(ALL);
    const container = { id: 'a'.repeat(64) };
    const process: Omit<PlainProcess, 'pod'> & { pod?: Pod | undefined } = plainProcess({ container });
    const event = { ...execEvent(), process, parent: process } as unknown as TracerEvent;
    const readPods = (): unknown[] => {
      const message = fromBinary(GetEventsResponseSchema, encoder.encode(event).take());
      const { value } = message.event as { value: Record<'process' | 'parent', { pod?: { name: string } }> };
      const json = JSON.parse(toJson(event, ALL)) as { process_exec: { process: { pod?: { name: string } } } };
      return [value.process.pod?.name, value.parent.pod?.name, json.process_exec.process.pod?.name];
    };
    assert.deepEqual(readPods(), [undefined, undefined, undefined]);
    process.pod = { namespace: 'shop', name: 'web-1', labels: { app: 'web' } };
    assert.deepEqual(readPods(), ['web-1', 'web-1', 'web-1']);
    process.pod = { namespace: 'shop', name: 'web-2' };
    assert.deepEqual(readPods(), ['web-2', 'web-2', 'web-2']);
  });

  it('a time of a container that is no time is left out', () => {
    for (const [startTime, expected] of [
      ['yesterday', undefined],
      ['2026-11-24T14:36:49Z', [1795531009n, 0]],
      ['2026-11-24T16:36:49.0000005+02:00', [1795531009n, 500]],
    ] as const) {
      const pod = { namespace: 'n', name: 'p', container: { id: 'c', startTime } };
      const bytes = new EventEncoder().encode(execEvent({ pod }) as TracerEvent).take();
      const { event } = fromBinary(GetEventsResponseSchema, bytes);
      assert.ok(event.case === 'processExec');
      const time = event.value.process?.pod?.container?.startTime;
      assert.deepEqual(time && [time.seconds, time.nanos], expected);
    }
  });

  it('arguments that are hidden are in no form of the process', () => {
    const redact = redactor([{ redact: ['-p (\\S+)'] }]);
    const event = execEvent({ arguments: '-p secret', argv: ['-p', 'secret'] }) as TracerEvent;
    const bytes = Buffer.from(new EventEncoder({ redact }).encode(event).take());
    assert.equal(bytes.includes('secret'), false);
    assert.equal(bytes.includes('-p *****'), true);
  });

  it('one process is encoded once', () => {
    const encoder = new EventEncoder();
    let reads = 0;
    const process = {
      ...plainProcess(),
      get cwd() {
        reads += 1;
        return '/root';
      },
    };
    const event = { ...execEvent(), process } as unknown as TracerEvent;
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
    w.string(10, long);
    w.string(18, 'y');
    assert.equal(Buffer.from(w.take()).toString('latin1').endsWith(long), true);
    assert.equal(w.length, 3 + 4 + 300_000);
  });
});
