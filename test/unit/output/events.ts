/** Makes processes and events for tests, as the tracer reports them. */
import type {
  ChangeEvent,
  EventOf,
  EventType,
  PlainOf,
  HookArgument,
  LostEvent,
  PlainProcess,
  ProcessExecEvent,
  ProcessExitEvent,
  ProcessKprobeEvent,
} from '../../../types/events.js';
import { fileArgument, intArgument } from './arguments.js';

export const ALL_CAPABILITIES = (1n << 41n) - 1n;

export function plainProcess(fields: Partial<PlainProcess> = {}): PlainProcess {
  return {
    execId: 'bm9kZToxMDA6MjEw',
    parentExecId: 'bm9kZTo5MDoyMDk=',
    forked: false,
    pid: 210,
    uid: 0,
    auid: 4294967295,
    binary: '/usr/bin/cat',
    executable: '/usr/bin/cat',
    binaryUntrusted: false,
    argv: ['/etc/shadow'],
    arguments: '/etc/shadow',
    cwd: '/root',
    flags: 'execve clone',
    startTime: '2026-11-24T14:36:49.875507609Z',
    startTimeNs: 1795531009875507609n,
    capabilities: { permitted: 0n, effective: 0n, inheritable: 0n },
    namespaces: {
      uts: 4026531838,
      ipc: 4026531839,
      mnt: 4026532999,
      pid: 4026531836,
      pidForChildren: 4026531836,
      net: 0,
      time: 4026531834,
      timeForChildren: 4026531834,
      cgroup: 4026531835,
      user: 4026531837,
    },
    credentials: { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, fsuid: 0, fsgid: 0 },
    inInitTree: false,
    cgroupId: 0n,
    ...fields,
  };
}

const base = {
  time: '2026-11-24T14:36:50.316744941Z',
  timeNs: 1795531010316744941n,
  nodeName: 'node',
  ancestors: [],
  tid: 210,
} as const;

export function execEvent(
  process: Partial<PlainProcess> = {},
  fields: Partial<PlainOf<ProcessExecEvent>> = {},
): PlainOf<ProcessExecEvent> {
  return { ...base, type: 'process_exec', process: plainProcess(process), ...fields };
}

export function exitEvent(
  process: Partial<PlainProcess> = {},
  fields: Partial<PlainOf<ProcessExitEvent>> = {},
): PlainOf<ProcessExitEvent> {
  return { ...base, type: 'process_exit', process: plainProcess(process), status: 0, coreDumped: false, ...fields };
}

export function kprobeEvent(
  functionName: string,
  args: readonly HookArgument[],
  fields: Partial<PlainOf<ProcessKprobeEvent>> = {},
): PlainOf<ProcessKprobeEvent> {
  return {
    ...base,
    type: 'process_kprobe',
    process: plainProcess(),
    policyName: 'files',
    functionName,
    args,
    data: [],
    action: 'post',
    actions: [{ action: 'post' }],
    ofSocketOwner: false,
    suppressed: 0,
    tags: [],
    selector: 0,
    ...fields,
  };
}

export function lostEvent(fields: Partial<PlainOf<LostEvent>> = {}): PlainOf<LostEvent> {
  const { time, timeNs, nodeName } = base;
  return {
    type: 'lost',
    time,
    timeNs,
    nodeName,
    hook: 'security_file_permission',
    policyName: 'files',
    reason: 'ring_full',
    count: 12,
    ...fields,
  };
}

export function changeEvent(fields: Partial<PlainOf<ChangeEvent>> = {}): PlainOf<ChangeEvent> {
  const { time, timeNs, nodeName } = base;
  return {
    type: 'change',
    time,
    timeNs,
    nodeName,
    operation: 'policy_replace',
    policyName: 'guard',
    policyNamespace: '',
    before: 'a'.repeat(64),
    after: 'b'.repeat(64),
    enabled: false,
    mode: 'monitor',
    way: 'client',
    source: '',
    client: { address: 'unix', pid: 7, uid: 0, gid: 0, execId: 'id', binary: '/usr/bin/polytrace' },
    ...fields,
  };
}

const { functionName: _, data, ...hookFields } = kprobeEvent('', [intArgument(1, 0)], { message: 'seen', tags: ['a'] });

/** An event of each type. */
export const EXAMPLE_EVENTS: { readonly [T in EventType]: PlainOf<EventOf<T>> } = {
  process_exec: execEvent(),
  process_exit: exitEvent(),
  process_kprobe: kprobeEvent('do_x', [fileArgument('/etc/a b')]),
  process_tracepoint: { ...hookFields, type: 'process_tracepoint', subsystem: 'sched', event: 'sched_switch' },
  process_lsm: { ...hookFields, type: 'process_lsm', functionName: 'file_open' },
  process_uprobe: {
    ...hookFields,
    data,
    type: 'process_uprobe',
    path: '/bin/a',
    symbol: 'main',
    offset: 0n,
    refCtrOffset: 0n,
  },
  process_usdt: { ...hookFields, type: 'process_usdt', path: '/bin/a b', provider: 'app', name: 'reply' },
  process_loader: {
    ...execEvent(),
    type: 'process_loader',
    policyName: 'loads',
    path: '/lib/a b.so',
    buildId: '00ff',
    inode: 5n,
    device: { major: 8, minor: 1 },
  },
  process_throttle: { ...execEvent(), type: 'process_throttle', throttle: 'start', cgroup: 'web a', cgroupId: 7n },
  change: changeEvent(),
  lost: lostEvent(),
};
