/**
 * An event of the protocol as the library's own plain event, for `formatCompact`. It has what the protocol has: the members that only
 * the tracer knows are empty.
 */
import type {
  HookArgument,
  LossReason,
  PathFlag,
  PerformedAction,
  PlainEvent,
  PlainProcess,
  StackFrame,
} from 'polytrace';
import { splitArguments } from '../encode/arguments-text.js';
import { USUAL_TYPES } from '../encode/arguments.js';
import { BpfCmdSchema } from '../proto/tetragon/bpf.gen.js';
import type { GetEventsResponse } from '../proto/tetragon/events.gen.js';
import type {
  KprobeArgument,
  PerformedAction as ActionMessage,
  Pod as PodMessage,
  Process as ProcessMessage,
  StackTraceEntry,
} from '../proto/tetragon/tetragon.gen.js';
import { timeText } from './json.js';

/** Returns undefined for an event that the library does not have. */
export function viewOf(response: GetEventsResponse): PlainEvent | undefined {
  const { event, nodeName, time } = response;
  const base = {
    nodeName,
    time: time === undefined ? '' : timeText(time),
    timeNs: time === undefined ? 0n : time.seconds * 1_000_000_000n + BigInt(time.nanos),
    ...relatives(event),
    tid: 0,
  };
  switch (event.case) {
    case 'processExec':
      return { ...base, type: 'process_exec', process: processOf(event.value.process) };
    case 'processExit': {
      const { process, signal, status } = event.value;
      const ended = signal === '' ? {} : { signal };
      return { ...base, type: 'process_exit', process: processOf(process), status, coreDumped: false, ...ended };
    }
    case 'processKprobe': {
      const { functionName, kernelStackTrace, userStackTrace } = event.value;
      const stacks = { kernelStackTrace, userStackTrace };
      return { ...base, type: 'process_kprobe', ...hookOf(event.value, stacks), functionName, data: [] };
    }
    case 'processTracepoint': {
      const { subsys, event: name } = event.value;
      return { ...base, type: 'process_tracepoint', ...hookOf(event.value), subsystem: subsys, event: name };
    }
    case 'processLsm': {
      const { functionName, imaHash } = event.value;
      const hash = imaHash === '' ? {} : { imaHash };
      return { ...base, type: 'process_lsm', ...hookOf(event.value), functionName, ...hash };
    }
    case 'processUprobe': {
      const { path, symbol, offset, address, refCtrOffset } = event.value;
      const place = address === undefined ? { offset } : { offset: 0n, address };
      return {
        ...base,
        type: 'process_uprobe',
        ...hookOf(event.value),
        path,
        symbol,
        refCtrOffset,
        ...place,
        data: [],
      };
    }
    case 'processUsdt': {
      const { path, provider, name } = event.value;
      return { ...base, type: 'process_usdt', ...hookOf(event.value), path, provider, name };
    }
    case 'processLoader': {
      const { process, path, buildid } = event.value;
      const id = buildid.length === 0 ? {} : { buildId: Buffer.from(buildid).toString('hex') };
      const file = { path, inode: 0n, device: { major: 0, minor: 0 }, policyName: '' };
      return { ...base, type: 'process_loader', process: processOf(process), ...file, ...id };
    }
    case 'rateLimitInfo': {
      const { numberOfDroppedProcessEvents: dropped, hook, policyName, reason } = event.value;
      const { time: at, timeNs } = base;
      // Of another agent, only the number is known.
      const why = (reason === '' ? 'slow_consumer' : reason) as LossReason;
      const where = reason === '' ? 'rate_limit' : hook;
      return { type: 'lost', time: at, timeNs, nodeName, hook: where, policyName, reason: why, count: Number(dropped) };
    }
    default:
      return undefined;
  }
}

/** Filters ask for them. */
function relatives({ value }: GetEventsResponse['event']): Pick<ProcessView, 'parent' | 'ancestors'> {
  if (value === undefined || !('ancestors' in value)) return { ancestors: [] };
  const ancestors = value.ancestors.map(processOf);
  return value.parent === undefined ? { ancestors } : { ancestors, parent: processOf(value.parent) };
}

type ProcessView = Extract<PlainEvent, { readonly type: 'process_exec' }>;

const NO_IDS = { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, fsuid: 0, fsgid: 0 };
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

function processOf(message: ProcessMessage | undefined): PlainProcess {
  const text = message?.arguments ?? '';
  const argv = message?.argv ?? [];
  const pod = message?.pod;
  return {
    execId: message?.execId ?? '',
    parentExecId: message?.parentExecId ?? '',
    forked: false,
    pid: message?.pid ?? 0,
    uid: message?.uid ?? 0,
    auid: message?.auid ?? 0,
    binary: message?.binary ?? '',
    executable: message?.binary ?? '',
    binaryUntrusted: message?.binaryUntrusted ?? false,
    argv: argv.length > 0 ? argv : splitArguments(text),
    arguments: text,
    cwd: message?.cwd ?? '',
    flags: message?.flags ?? '',
    startTime: message?.startTime === undefined ? '' : timeText(message.startTime),
    startTimeNs: 0n,
    capabilities: NO_CAPABILITIES,
    namespaces: NO_NAMESPACES,
    credentials: NO_IDS,
    inInitTree: message?.inInitTree ?? false,
    cgroupId: 0n,
    ...(pod === undefined ? {} : { pod: podOf(pod) }),
    ...(message?.docker === undefined || message.docker === '' ? {} : { container: { id: message.docker } }),
  };
}

function podOf({ namespace, name, podLabels: labels, container }: PodMessage): NonNullable<PlainProcess['pod']> {
  if (container === undefined) return { namespace, name, labels };
  const probe = container.maybeExecProbe ? { maybeExecProbe: true as const } : {};
  return { namespace, name, labels, container: { id: container.id, name: container.name, ...probe } };
}

interface HookMessage {
  readonly process?: ProcessMessage | undefined;
  readonly policyName: string;
  readonly args: readonly KprobeArgument[];
  readonly policyMode: string;
  readonly actions: readonly ActionMessage[];
  readonly ofSocketOwner: boolean;
  readonly suppressed: number;
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
  | 'actions'
  | 'ofSocketOwner'
  | 'suppressed'
  | 'tags'
  | 'message'
  | 'selector'
  | 'kernelStack'
  | 'userStack'
> & { readonly return?: HookArgument };

function hookOf(message: HookMessage & Partial<Stacks>, stacks: Partial<Stacks> = message): HookView {
  const { policyName, ofSocketOwner, suppressed, tags, message: reason, return: returned } = message;
  const { kernelStackTrace = [], userStackTrace = [] } = stacks;
  return {
    process: processOf(message.process),
    policyName,
    args: message.args.map(argumentOf),
    action: 'post',
    actions: message.actions.map(actionOf),
    ofSocketOwner,
    suppressed,
    tags,
    selector: 0,
    ...(reason === '' ? {} : { message: reason }),
    ...(returned === undefined ? {} : { return: argumentOf(returned, 0) }),
    ...(kernelStackTrace.length === 0 ? {} : { kernelStack: kernelStackTrace.map(frameOf) }),
    ...(userStackTrace.length === 0 ? {} : { userStack: userStackTrace.map(frameOf) }),
  };
}

/** A line shows only the names of actions and their outcomes. */
function actionOf({ action, outcome }: ActionMessage): PerformedAction {
  return (outcome === '' ? { action } : { action, outcome }) as PerformedAction;
}

function frameOf({ address, offset, symbol, module, fileOffset, buildId }: StackTraceEntry): StackFrame {
  return {
    ...(address === 0n ? {} : { address }),
    ...(symbol === '' ? {} : { symbol }),
    ...(module === '' ? {} : { module }),
    ...(offset === 0n ? {} : { offset }),
    ...(fileOffset === 0n ? {} : { fileOffset }),
    ...(buildId === '' ? {} : { buildId }),
  };
}

/** Its position in the list stands for the number of the parameter when the message does not say it. */
function argumentOf(message: KprobeArgument, position: number): HookArgument {
  const { arg, label, truncated } = message;
  const usual = arg.case === undefined ? undefined : (USUAL_TYPES as Readonly<Record<string, string>>)[arg.case];
  const type = message.type === '' ? (usual ?? 'string') : message.type;
  const base = { type, index: message.index ?? position, ...(label === '' ? {} : { label }) };
  return { ...base, truncated, ...valueOf(arg, type, message.partialText) } as unknown as HookArgument;
}

const TEXTS: ReadonlySet<string> = new Set(['string', 'data_loc', 'filename', 'net_device', 'sockaddr_un']);

function valueOf(arg: KprobeArgument['arg'], type: string, partialText: string): object {
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
      return fileOf(arg.value);
    case 'sockArg':
      return { ...endsOf(arg.value), socketType: arg.value.type, state: arg.value.state };
    case 'skbArg':
      return { ...endsOf(arg.value), length: arg.value.len };
    case 'sockaddrArg':
      return { family: arg.value.family, address: arg.value.addr, port: arg.value.port };
    case 'sockaddrunArg':
      return { value: arg.value.path };
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
      return TEXTS.has(type) ? { unreadable: true, value: partialText } : { unreadable: true };
    default:
      return {};
  }
}

function fileOf({
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

function endsOf(ends: {
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
