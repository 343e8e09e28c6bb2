/**
 * Converts a protocol event to the library's plain event, for `formatCompact`. Members that the protocol does not
 * have are empty.
 */
import type {
  ChangeClient,
  ChangeEvent,
  Container,
  EventType,
  HookArgument,
  LossReason,
  MarkCause,
  PathFlag,
  PerformedAction,
  PlainEvent,
  PlainOf,
  PlainProcess,
  StackFrame,
  StringArgument,
} from '../../types/index.js';
import { splitArguments } from '../encode/split-arguments.js';
import { USUAL_TYPES } from '../encode/arguments.js';
import { BpfCmdSchema } from '../proto/tetragon/bpf.gen.js';
import {
  ThrottleType,
  type Change as ChangeMessage,
  type ChangeClient as ClientMessage,
  type GetEventsResponse,
} from '../proto/tetragon/events.gen.js';
import {
  KprobeAction,
  type Capabilities as CapabilitiesMessage,
  type Namespaces as NamespacesMessage,
  type KprobeArgument,
  type Mark as MarkMessage,
  type PerformedAction as ActionMessage,
  type Pod as PodMessage,
  type Process as ProcessMessage,
  type ProcessContainer as ContainerMessage,
  type StackTraceEntry,
} from '../proto/tetragon/tetragon.gen.js';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { formatTimestamp } from './json.js';

type ConvertProcess = (message: ProcessMessage | undefined) => PlainProcess;

/** Returns undefined for an event type that the library does not have. */
export function toPlainEvent(response: GetEventsResponse, convertProcess: ConvertProcess = toPlainProcess) {
  const { event, nodeName, time } = response;
  const base = {
    ...toRelatives(event, convertProcess),
    nodeName,
    time: time === undefined ? '' : formatTimestamp(time),
    timeNs: toNanoseconds(time),
    tid: (event.value !== undefined && 'process' in event.value ? event.value.process?.tid : undefined) ?? 0,
  };
  switch (event.case) {
    case 'processExec':
      return {
        ...base,
        type: 'process_exec' as const,
        process: convertProcess(event.value.process),
        ...toEnvironment(event.value.process),
      };
    case 'processExit': {
      const { process, signal, status } = event.value;
      const ended = signal === '' ? {} : { signal };
      return {
        ...base,
        type: 'process_exit' as const,
        process: convertProcess(process),
        status,
        coreDumped: false,
        ...ended,
      };
    }
    case 'processKprobe': {
      const { functionName, kernelStackTrace, userStackTrace } = event.value;
      const stacks = { kernelStackTrace, userStackTrace };
      return {
        ...toHookView(base, event.value, convertProcess, stacks),
        type: 'process_kprobe' as const,
        functionName,
        data: [],
      };
    }
    case 'processTracepoint': {
      const { subsys, event: name } = event.value;
      return {
        ...toHookView(base, event.value, convertProcess),
        type: 'process_tracepoint' as const,
        subsystem: subsys,
        event: name,
      };
    }
    case 'processLsm': {
      const { functionName, imaHash } = event.value;
      const hash = imaHash === '' ? {} : { imaHash };
      return {
        ...toHookView(base, event.value, convertProcess),
        type: 'process_lsm' as const,
        functionName,
        ...hash,
      };
    }
    case 'processUprobe': {
      const { path, symbol, offset, address, refCtrOffset } = event.value;
      // The return value is also the last argument.
      const args = event.value.return === undefined ? event.value.args : event.value.args.slice(0, -1);
      const location = address === undefined ? { offset } : { offset: 0n, address };
      return {
        ...toHookView(base, { ...event.value, args }, convertProcess),
        type: 'process_uprobe' as const,
        path,
        symbol,
        refCtrOffset,
        ...location,
        data: [],
      };
    }
    case 'processUsdt': {
      const { path, provider, name } = event.value;
      return {
        ...toHookView(base, event.value, convertProcess),
        type: 'process_usdt' as const,
        path,
        provider,
        name,
      };
    }
    case 'processLoader': {
      const { process, path, buildid } = event.value;
      const id = buildid.length === 0 ? {} : { buildId: Buffer.from(buildid).toString('hex') };
      const file = { path, inode: 0n, device: { major: 0, minor: 0 }, policyName: '' };
      return { ...base, type: 'process_loader' as const, process: convertProcess(process), ...file, ...id };
    }
    case 'rateLimitInfo': {
      const { numberOfDroppedProcessEvents: dropped, hook, policyName, reason } = event.value;
      const { time: at, timeNs } = base;
      // Another agent reports only the number of lost events.
      const why = (reason === '' ? 'slow_consumer' : reason) as LossReason;
      const where = reason === '' ? 'rate_limit' : hook;
      return {
        type: 'lost' as const,
        time: at,
        timeNs,
        nodeName,
        hook: where,
        policyName,
        reason: why,
        count: Number(dropped),
      };
    }
    case 'change': {
      const { time: at, timeNs } = base;
      return { type: 'change' as const, time: at, timeNs, nodeName, ...toChange(event.value) };
    }
    case 'processThrottle': {
      // The protocol has no process for it.
      const { type, cgroup } = event.value;
      const throttle = type === ThrottleType.THROTTLE_STOP ? ('stop' as const) : ('start' as const);
      const process = toPlainProcess(undefined);
      return { ...base, type: 'process_throttle' as const, process, throttle, cgroup, cgroupId: 0n };
    }
    // Tetragon has this event, and the library has not.
    case 'test':
    case undefined:
      return undefined;
  }
}

type Nothing<T extends never> = T;
/** @public Only the compiler uses it: some message of the protocol becomes each type of event. */
export type PlainEventChecks = Nothing<Exclude<EventType, NonNullable<ReturnType<typeof toPlainEvent>>['type']>>;

function toChange(message: ChangeMessage): Omit<PlainOf<ChangeEvent>, 'type' | 'time' | 'timeNs' | 'nodeName'> {
  const { policyName, policyNamespace, source, setting, before, after, enabled, mode, client } = message;
  return {
    operation: message.operation as ChangeEvent['operation'],
    policyName,
    policyNamespace,
    ...(setting === '' ? {} : { setting }),
    ...(before === '' ? {} : { before }),
    ...(after === '' ? {} : { after }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(mode === 'enforce' || mode === 'monitor' ? { mode } : {}),
    way: message.way as ChangeEvent['way'],
    source,
    ...(client === undefined ? {} : { client: toChangeClient(client) }),
  };
}

function toChangeClient({ address, pid, uid, gid, execId, binary, certificate }: ClientMessage): ChangeClient {
  return {
    address,
    ...(pid === undefined ? {} : { pid }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(execId === '' ? {} : { execId }),
    ...(binary === '' ? {} : { binary }),
    ...(certificate === undefined ? {} : { certificate }),
  };
}

/** Returns the parent and the ancestors, which filters use. */
function toRelatives(
  { value }: GetEventsResponse['event'],
  convertProcess: ConvertProcess,
): Pick<ExecView, 'parent' | 'ancestors'> {
  if (value === undefined || !('ancestors' in value)) return { ancestors: [] };
  const ancestors = value.ancestors.map(convertProcess);
  return value.parent === undefined ? { ancestors } : { ancestors, parent: convertProcess(value.parent) };
}

type ExecView = Extract<PlainEvent, { readonly type: 'process_exec' }>;

const NO_CREDENTIALS = { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, fsuid: 0, fsgid: 0 };
const NO_NAMESPACES = {
  uts: 0,
  ipc: 0,
  mnt: 0,
  pid: 0,
  pidForChildren: 0,
  net: 0,
  time: 0,
  timeForChildren: 0,
  cgroup: 0,
  user: 0,
};
const NO_CAPABILITIES = { permitted: 0n, effective: 0n, inheritable: 0n };

export function toPlainProcess(message: ProcessMessage | undefined): PlainProcess {
  const text = message?.arguments ?? '';
  const argv = message?.argv ?? [];
  const pod = message?.pod;
  return {
    execId: message?.execId ?? '',
    parentExecId: message?.parentExecId ?? '',
    forked: false,
    pid: message?.pid ?? 0,
    uid: message?.processCredentials?.uid ?? message?.uid ?? 0,
    auid: message?.auid ?? 0,
    binary: message?.binary ?? '',
    executable: message?.binary ?? '',
    binaryUntrusted: message?.binaryUntrusted ?? false,
    argv: argv.length > 0 ? argv : splitArguments(text),
    arguments: text,
    cwd: message?.cwd ?? '',
    flags: message?.flags ?? '',
    startTime: message?.startTime === undefined ? '' : formatTimestamp(message.startTime),
    startTimeNs: toNanoseconds(message?.startTime),
    capabilities: toCapabilities(message?.cap),
    namespaces: toNamespaces(message?.ns),
    credentials: toCredentials(message),
    inInitTree: message?.inInitTree ?? false,
    cgroupId: 0n,
    ...(pod === undefined ? {} : { pod: toPlainPod(pod) }),
    ...(message?.user === undefined ? {} : { user: message.user.name }),
    ...toContainer(message),
  };
}

/** The protocol cannot say that the environment is known and empty. */
function toEnvironment(message: ProcessMessage | undefined): Pick<ExecView, 'environment'> {
  const variables = message?.environmentVariables ?? [];
  return variables.length === 0
    ? {}
    : { environment: variables.map(({ Key: name, Value: value }) => ({ name, value })) };
}

function toNanoseconds(time: Timestamp | undefined): bigint {
  return time === undefined ? 0n : time.seconds * 1_000_000_000n + BigInt(time.nanos);
}

/** Tetragon's protocol has only the beginning of the id, and the name of the container of a pod. */
function toContainer(message: ProcessMessage | undefined): Pick<PlainProcess, 'container'> {
  if (message?.container !== undefined) return { container: toPlainContainer(message.container) };
  if (message === undefined || message.docker === '') return {};
  const name = message.pod?.container?.name ?? '';
  return { container: { id: message.docker, ...(name === '' ? {} : { name }) } };
}

function toPlainContainer({ id, owner, image, labels, privileged, ...texts }: ContainerMessage): Container {
  const { runtime, podUid, name, startTime } = texts;
  return {
    id,
    ...withoutEmpty({ runtime, podUid }),
    ...(owner === undefined ? {} : { owner }),
    ...withoutEmpty({ name }),
    ...(image === undefined ? {} : { image: withoutEmpty({ id: image.id, name: image.name }) }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...withoutEmpty({ startTime }),
    ...(privileged === undefined ? {} : { privileged }),
  };
}

function withoutEmpty<T extends Readonly<Record<string, string>>>(texts: T): Partial<T> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== '')) as Partial<T>;
}

function toCapabilities(message: CapabilitiesMessage | undefined): PlainProcess['capabilities'] {
  if (message === undefined) return NO_CAPABILITIES;
  const toMask = (numbers: readonly number[]): bigint =>
    numbers.reduce((mask, number) => mask | (1n << BigInt(number & 63)), 0n);
  return {
    permitted: toMask(message.permitted),
    effective: toMask(message.effective),
    inheritable: toMask(message.inheritable),
  };
}

function toNamespaces(message: NamespacesMessage | undefined): PlainProcess['namespaces'] {
  if (message === undefined) return NO_NAMESPACES;
  const names = Object.keys(NO_NAMESPACES) as (keyof typeof NO_NAMESPACES)[];
  const inodes = Object.fromEntries(names.map((name) => [name, message[name]?.inum ?? 0]));
  return inodes as typeof NO_NAMESPACES;
}

/** Without credentials, the message has the effective user id. */
function toCredentials(message: ProcessMessage | undefined): PlainProcess['credentials'] {
  const { processCredentials: found, uid = 0 } = message ?? {};
  if (found === undefined) return { ...NO_CREDENTIALS, euid: uid };
  const names = Object.keys(NO_CREDENTIALS) as (keyof typeof NO_CREDENTIALS)[];
  return Object.fromEntries(names.map((name) => [name, found[name] ?? 0])) as typeof NO_CREDENTIALS;
}

function toPlainPod(message: PodMessage): NonNullable<PlainProcess['pod']> {
  const { namespace, name, podLabels: labels, podAnnotations: annotations, container } = message;
  const texts = { uid: message.uid, workload: message.workload, workloadKind: message.workloadKind };
  const known = Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ''));
  const pod = { namespace, name, labels, ...(Object.keys(annotations).length === 0 ? {} : { annotations }), ...known };
  if (container === undefined) return pod;
  const probe = container.maybeExecProbe ? { maybeExecProbe: true as const } : {};
  return { ...pod, container: { id: container.id, name: container.name, ...probe } };
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

interface HookMessage {
  readonly process?: ProcessMessage | undefined;
  readonly policyName: string;
  readonly args: readonly KprobeArgument[];
  readonly policyMode: string;
  readonly action?: KprobeAction;
  readonly actions: readonly ActionMessage[];
  readonly ofSocketOwner: boolean;
  readonly suppressed: number;
  readonly marks: readonly MarkMessage[];
  readonly tags: readonly string[];
  readonly message: string;
  readonly return?: KprobeArgument | undefined;
}

interface Stacks {
  readonly kernelStackTrace: readonly StackTraceEntry[];
  readonly userStackTrace: readonly StackTraceEntry[];
}

type HookView = Pick<
  Extract<PlainEvent, { readonly type: 'process_lsm' }>,
  | 'process'
  | 'policyName'
  | 'args'
  | 'action'
  | 'policyMode'
  | 'actions'
  | 'ofSocketOwner'
  | 'suppressed'
  | 'marks'
  | 'tags'
  | 'message'
  | 'selector'
  | 'kernelStack'
  | 'userStack'
> & { readonly return?: HookArgument };

/**
 * The copy of one object first, then single members: other copies are several times slower, and a page of a report has
 * 500,000 events.
 */
function toHookView<B extends object>(
  base: B,
  message: HookMessage & Partial<Stacks>,
  convertProcess: ConvertProcess,
  stacks: Partial<Stacks> = message,
): B & HookView {
  const { policyName, ofSocketOwner, suppressed, tags, message: reason, return: returned } = message;
  const { kernelStackTrace = [], userStackTrace = [] } = stacks;
  const view: B & Writable<HookView> = {
    ...base,
    process: convertProcess(message.process),
    policyName,
    args: message.args.map(toHookArgument),
    action: (message.action === undefined ? undefined : ACTION_NAMES[message.action]) ?? 'post',
    actions: message.actions.map(toPerformedAction),
    ofSocketOwner,
    suppressed,
    tags,
    selector: 0,
  };
  if (message.policyMode === 'enforce' || message.policyMode === 'monitor') view.policyMode = message.policyMode;
  if (message.marks.length > 0) view.marks = message.marks.map(toMark);
  if (reason !== '') view.message = reason;
  if (returned !== undefined) view.return = toHookArgument(returned, 0);
  if (kernelStackTrace.length > 0) view.kernelStack = kernelStackTrace.map(toStackFrame);
  if (userStackTrace.length > 0) view.userStack = userStackTrace.map(toStackFrame);
  return view;
}

const ACTION_NAMES: Readonly<Partial<Record<KprobeAction, PerformedAction['action']>>> = {
  [KprobeAction.SIGKILL]: 'sigkill',
  [KprobeAction.OVERRIDE]: 'override',
  [KprobeAction.GETURL]: 'getUrl',
  [KprobeAction.DNSLOOKUP]: 'dnsLookup',
  [KprobeAction.SIGNAL]: 'signal',
  [KprobeAction.TRACKSOCK]: 'trackSock',
  [KprobeAction.UNTRACKSOCK]: 'untrackSock',
  [KprobeAction.NOTIFYENFORCER]: 'notifyEnforcer',
  [KprobeAction.CLEANUPENFORCERNOTIFICATION]: 'cleanupEnforcerNotification',
  [KprobeAction.SET]: 'set',
};

function toPerformedAction(message: ActionMessage): PerformedAction {
  const { action, outcome, target, onReturn, registers } = message;
  const members = {
    index: message.index,
    signal: message.signal,
    value: message.value,
    registers: registers.length === 0 ? undefined : registers,
    target: target === '' ? undefined : target,
    url: message.url,
    name: message.name,
    outcome: outcome === '' ? undefined : outcome,
    mark: message.mark === '' ? undefined : message.mark,
    onReturn: onReturn ? true : undefined,
  };
  const present = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  return { action, ...present } as unknown as PerformedAction;
}

function toMark({ mark, scope, cause }: MarkMessage): MarkCause {
  const owner = scope === 'container' ? ('container' as const) : ('process' as const);
  if (cause === undefined) return { mark, scope: owner };
  const { time, ageNs, execId, pid, command, functionName, argument } = cause;
  return {
    mark,
    scope: owner,
    cause: {
      time: time === undefined ? '' : formatTimestamp(time),
      timeNs: toNanoseconds(time),
      ageNs,
      ...(execId === '' ? {} : { execId }),
      pid,
      command,
      functionName,
      ...(argument === undefined ? {} : { argument }),
    },
  };
}

function toStackFrame({ address, offset, symbol, module, fileOffset, buildId }: StackTraceEntry): StackFrame {
  return {
    ...(address === 0n ? {} : { address }),
    ...(symbol === '' ? {} : { symbol }),
    ...(module === '' ? {} : { module }),
    ...(offset === 0n ? {} : { offset }),
    ...(fileOffset === 0n ? {} : { fileOffset }),
    ...(buildId === '' ? {} : { buildId }),
  };
}

/** The position in the list is the index of the parameter when the message has no index. */
function toHookArgument(message: KprobeArgument, position: number): HookArgument {
  const { arg, label, truncated } = message;
  const usual = arg.case === undefined ? undefined : (USUAL_TYPES as Readonly<Record<string, string>>)[arg.case];
  const type = message.type === '' ? (usual ?? 'string') : message.type;
  const index = message.index ?? position;
  const base = label === '' ? { type, index, truncated } : { type, index, label, truncated };
  return Object.assign(base, toArgumentValue(arg, type, message.partialText)) as unknown as HookArgument;
}

const STRING_TYPES = {
  string: true,
  data_loc: true,
  filename: true,
  net_device: true,
  sockaddr_un: true,
} as const satisfies Readonly<Record<StringArgument['type'], true>>;

function toArgumentValue(arg: KprobeArgument['arg'], type: string, partialText: string): object {
  switch (arg.case) {
    case 'stringArg':
    case 'intArg':
    case 'uintArg':
    case 'longArg':
    case 'sizeArg':
      return { value: arg.value };
    case 'bytesArg':
      return { value: arg.value, size: arg.value.length };
    case 'truncatedBytesArg':
      return { value: arg.value.bytesArg, size: Number(arg.value.origSize), truncated: true };
    case 'pathArg':
    case 'fileArg':
    case 'linuxBinprmArg':
      return toFileValue(arg.value);
    case 'sockArg':
      return {
        ...toSocketEndpoints(arg.value),
        socketType: arg.value.type,
        state: arg.value.state,
        // the export has the address in the field `cookie`
        address: arg.value.cookie,
      };
    case 'skbArg':
      return { ...toSocketEndpoints(arg.value), length: arg.value.len };
    case 'sockaddrArg':
      return { family: arg.value.family, address: arg.value.addr, port: arg.value.port };
    case 'sockaddrunArg':
      return { value: arg.value.path };
    case 'sockaddralgArg':
      return { value: `${arg.value.type}/${arg.value.name}`, features: arg.value.feat, mask: arg.value.mask };
    case 'netDevArg':
      return { value: arg.value.name };
    case 'syscallId': {
      const { id, name, number } = arg.value;
      return { value: number === 0n ? BigInt(id) : number, ...(name === '' ? {} : { name }) };
    }
    case 'capabilityArg': {
      const { value = 0, name } = arg.value;
      return { value, ...(name === '' ? {} : { name: name === 'DAC_OVERRIDE' ? 'CAP_DAC_OVERRIDE' : name }) };
    }
    case 'processCredentialsArg':
      return { uid: arg.value.uid ?? 0, euid: arg.value.euid ?? 0 };
    case 'userNsArg':
      return { inode: arg.value.ns?.inum ?? 0 };
    case 'moduleArg':
      return { name: arg.value.name };
    case 'kernelCapTArg':
    case 'capInheritableArg':
    case 'capPermittedArg':
    case 'capEffectiveArg':
      return { value: /^[0-9a-fA-F]{1,16}$/.test(arg.value) ? BigInt(`0x${arg.value}`) : 0n };
    case 'bpfCmdArg': {
      const name = BpfCmdSchema.value[arg.value]?.name;
      return { value: arg.value, ...(name === undefined ? {} : { name }) };
    }
    case 'bpfAttrArg':
    case 'bpfProgArg':
      return { programType: arg.value.ProgType, instructions: arg.value.InsnCnt, name: arg.value.ProgName };
    case 'bpfMapArg': {
      const {
        MapType: mapType,
        KeySize: keySize,
        ValueSize: valueSize,
        MaxEntries: maxEntries,
        MapName: name,
      } = arg.value;
      return { mapType, keySize, valueSize, maxEntries, name };
    }
    case 'perfEventArg':
      return { eventType: arg.value.Type, function: arg.value.KprobeFunc };
    case 'errorArg':
      return Object.hasOwn(STRING_TYPES, type) ? { unreadable: true, value: partialText } : { unreadable: true };
    // Tetragon's protocol has these members, and no type of the library is sent in them.
    case 'credArg':
    case 'userNamespaceArg':
    case undefined:
      return {};
  }
}

function toFileValue({
  path,
  flags,
  permission,
}: {
  readonly path: string;
  readonly flags: string;
  readonly permission: string;
}): object {
  return { path, flags: flags === '' ? [] : (flags.split(' ') as PathFlag[]), permission };
}

function toSocketEndpoints(ends: {
  readonly family: string;
  readonly protocol: string;
  readonly saddr: string;
  readonly daddr: string;
  readonly sport: number;
  readonly dport: number;
}): object {
  return {
    family: ends.family,
    protocol: ends.protocol,
    sourceAddress: ends.saddr,
    destinationAddress: ends.daddr,
    sourcePort: ends.sport,
    destinationPort: ends.dport,
  };
}
