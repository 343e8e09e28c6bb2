/** Makes events for tests of programs that handle events. */
import type { EventOf, EventType, HookArgument, PlainEvent, PlainProcess } from '../../types/events.js';
import type { ArgumentMembers, EventMembers } from '../../types/testing.js';
import { PolytraceError } from '../errors.js';
import { makeAgentEvent } from '../events/made-events.js';
import { formatTime } from '../process/clock.js';
import { joinArguments } from '../process/process.js';
import { DEFAULT_ARGUMENTS } from './default-arguments.js';

const HOOK = {
  policyName: 'policy',
  args: [],
  action: 'post',
  actions: [{ action: 'post' }],
  ofSocketOwner: false,
  suppressed: 0,
  tags: [],
  selector: 0,
} as const;

type OwnDefaults<T extends EventType> = Omit<EventMembers<T>, 'time' | 'timeNs' | 'nodeName' | 'process' | 'ancestors'>;

/** The members of each type of event, besides those of all types. */
const DEFAULTS: { readonly [T in EventType]: OwnDefaults<T> } = {
  process_exec: {},
  process_exit: { status: 0, coreDumped: false },
  process_kprobe: { ...HOOK, functionName: '', data: [] },
  process_tracepoint: { ...HOOK, subsystem: '', event: '' },
  process_uprobe: { ...HOOK, path: '', symbol: '', offset: 0n, refCtrOffset: 0n, data: [] },
  process_usdt: { ...HOOK, path: '', provider: '', name: '' },
  process_lsm: { ...HOOK, functionName: '' },
  process_loader: { policyName: 'policy', path: '', inode: 0n, device: { major: 0, minor: 0 } },
  process_throttle: { throttle: 'start', cgroup: '', cgroupId: 0n },
  change: { operation: 'policy_add', policyName: 'policy', policyNamespace: '', way: 'agent', source: '' },
  lost: { hook: 'process_exec', policyName: '', reason: 'ring_full', count: 1 },
};

/** The members that the functions below complete. */
type AnyMembers = Partial<Omit<PlainEvent, 'type'>> & Partial<Omit<EventMembers<'process_kprobe'>, keyof PlainEvent>>;

export function makeEvent<T extends EventType>(type: T, members: EventMembers<T> = {} as EventMembers<T>): EventOf<T> {
  if (!Object.hasOwn(DEFAULTS, type)) throw badType('event', type, DEFAULTS);
  const given = members as AnyMembers;
  const common = { type, nodeName: 'node', ...DEFAULTS[type], ...given, ...completeTime(given) };
  const event =
    type === 'lost' || type === 'change'
      ? common
      : { ...common, ...completeProcesses(given, common), ...completeValues(given) };
  return makeAgentEvent(event as unknown as PlainEvent) as EventOf<T>;
}

function badType(what: string, type: unknown, known: object): PolytraceError {
  const message = `there is no type of ${what} ${JSON.stringify(type)}`;
  return new PolytraceError('BAD_OPTION', message, `the types are ${Object.keys(known).join(', ')}`);
}

function completeTime({ time, timeNs }: Pick<AnyMembers, 'time' | 'timeNs'>): { time: string; timeNs: bigint } {
  const nanoseconds = timeNs ?? (time === undefined ? 0n : parseTime(time));
  return { time: time ?? formatTime(nanoseconds), timeNs: nanoseconds };
}

/** Parses RFC 3339 with up to nine digits after the second. */
function parseTime(text: string): bigint {
  const [, seconds = '', fraction = '', zone = ''] = /^(.*?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const milliseconds = Date.parse(seconds + zone);
  if (Number.isNaN(milliseconds)) {
    throw new PolytraceError('BAD_OPTION', `${JSON.stringify(text)} is no time`, 'write it as 2026-01-31T12:00:00Z');
  }
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

interface EventBase {
  readonly nodeName: string;
  readonly timeNs: bigint;
}

function completeProcesses(
  { process = {}, parent, former, ancestors = [], tid }: AnyMembers,
  base: EventBase,
): Pick<Extract<PlainEvent, { process: unknown }>, 'process' | 'parent' | 'former' | 'ancestors' | 'tid'> {
  const complete = (each: Partial<PlainProcess>): PlainProcess => completeProcess(each, base);
  const [first] = ancestors.map(complete);
  const parentProcess = parent && complete({ ...(first && { parentExecId: first.execId }), ...parent });
  const formerProcess = former && complete(former);
  const own = complete({
    ...(parentProcess && { parentExecId: parentProcess.execId }),
    ...(formerProcess && { formerExecId: formerProcess.execId }),
    ...process,
  });
  return {
    process: own,
    ...(parentProcess && { parent: parentProcess }),
    ...(formerProcess && { former: formerProcess }),
    ancestors: ancestors.map(complete),
    tid: tid ?? own.pid,
  };
}

// prettier-ignore
const NAMESPACES = {
  uts: 0, ipc: 0, mnt: 0, pid: 0, pidForChildren: 0, net: 0, time: 0, timeForChildren: 0, cgroup: 0, user: 0,
};

function completeProcess(given: Partial<PlainProcess>, { nodeName, timeNs }: EventBase): PlainProcess {
  const { pid = 1000, uid = 0, binary = '/usr/bin/true', argv = [] } = given;
  const start = completeTime({
    ...(given.startTime !== undefined && { time: given.startTime }),
    ...(given.startTimeNs !== undefined ? { timeNs: given.startTimeNs } : given.startTime === undefined && { timeNs }),
  });
  return {
    execId: Buffer.from(`${nodeName}:${start.timeNs}:${pid}`).toString('base64'),
    parentExecId: '',
    forked: false,
    pid,
    uid,
    auid: 4_294_967_295,
    binary,
    executable: binary,
    binaryUntrusted: false,
    argv,
    arguments: joinArguments(argv),
    cwd: '/',
    flags: 'execve clone',
    capabilities: { permitted: 0n, effective: 0n, inheritable: 0n },
    namespaces: NAMESPACES,
    credentials: { uid, gid: 0, euid: uid, egid: 0, suid: uid, sgid: 0, fsuid: uid, fsgid: 0 },
    inInitTree: false,
    cgroupId: 0n,
    ...given,
    startTime: start.time,
    startTimeNs: start.timeNs,
  };
}

function completeValues({ args, data, return: returned }: AnyMembers): object {
  return {
    ...(args && { args: args.map(completeValue) }),
    ...(data && { data: data.map(completeValue) }),
    ...(returned && { return: completeValue(returned, 0) }),
  };
}

function completeValue(given: ArgumentMembers, index: number): HookArgument {
  const { type } = given;
  if (!Object.hasOwn(DEFAULT_ARGUMENTS, type)) throw badType('value', type, DEFAULT_ARGUMENTS);
  return { index, ...DEFAULT_ARGUMENTS[type], ...given } as HookArgument;
}
