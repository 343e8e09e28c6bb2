/**
 * The JSON output: one line per event, with the names and nesting of Tetragon's export, in protobuf's JSON form (zero
 * values omitted, uint64 as strings).
 */
import type {
  PlainOf,
  Namespaces,
  Pod,
  PlainProcess,
  ProcessExitEvent,
  ProcessKprobeEvent,
  ProcessLoaderEvent,
  ProcessLsmEvent,
  ProcessTracepointEvent,
  ProcessUprobeEvent,
  ProcessUsdtEvent,
  StackFrame,
  PlainEvent,
} from '../../types/events.js';
import { argumentJson } from './arguments-json.js';
import { quoteJson } from './escape.js';
import { NAMESPACE_NAMES } from '../names/namespaces.js';
import { machineNamespaces } from '../process/host-namespaces.js';
import { capabilitiesJson, longField, message, numberField, stringField } from './json-fields.js';

/** Performance matters here: the text is built by hand, and parts that repeat are cached. */
export function toJson(event: PlainEvent): string {
  const tail = `,"node_name":${quoteJson(event.nodeName)},"time":"${event.time}"}`;
  switch (event.type) {
    case 'process_exec':
      return `{"process_exec":{${processPart(event)}}${tail}`;
    case 'process_exit':
      return `{"process_exit":{${processPart(event)}${exitPart(event)}}${tail}`;
    case 'process_kprobe':
      return `{"process_kprobe":{${processPart(event)}${kprobePart(event)}}${tail}`;
    case 'process_tracepoint':
      return `{"process_tracepoint":{${processPart(event)}${tracepointPart(event)}}${tail}`;
    case 'process_lsm':
      return `{"process_lsm":{${processPart(event)}${lsmPart(event)}}${tail}`;
    case 'process_loader':
      return `{"process_loader":{${processPart(event)}${loaderPart(event)}}${tail}`;
    case 'process_uprobe':
      return `{"process_uprobe":{${processPart(event)}${uprobePart(event)}}${tail}`;
    case 'process_usdt':
      return `{"process_usdt":{${processPart(event)}${usdtPart(event)}}${tail}`;
    case 'lost': {
      const names = `"hook":${quoteJson(event.hook)},"policy_name":${quoteJson(event.policyName)}`;
      return `{"lost":{${names},"reason":"${event.reason}","count":${event.count}}${tail}`;
    }
  }
}

type ProcessEvent = Exclude<PlainEvent, { readonly type: 'lost' }>;

function processPart(event: ProcessEvent): string {
  let text = `"process":${processJson(event.process, event.tid)}`;
  if (event.parent !== undefined) text += `,"parent":${processJson(event.parent, event.parent.pid)}`;
  if (event.ancestors.length > 0)
    text += `,"ancestors":[${event.ancestors.map((p) => processJson(p, p.pid)).join(',')}]`;
  return text;
}

function exitPart(event: PlainOf<ProcessExitEvent>): string {
  const signal = event.signal === undefined ? '' : `,"signal":"${event.signal}"`;
  const status = event.status === 0 ? '' : `,"status":${event.status}`;
  return `${signal}${status},"time":"${event.time}"`;
}

const ACTIONS: Readonly<Record<PlainOf<ProcessKprobeEvent>['action'], string>> = {
  post: 'KPROBE_ACTION_POST',
  signal: 'KPROBE_ACTION_SIGNAL',
  sigkill: 'KPROBE_ACTION_SIGKILL',
  override: 'KPROBE_ACTION_OVERRIDE',
  notifyEnforcer: 'KPROBE_ACTION_NOTIFYENFORCER',
  cleanupEnforcerNotification: 'KPROBE_ACTION_CLEANUPENFORCERNOTIFICATION',
  trackSock: 'KPROBE_ACTION_TRACKSOCK',
  untrackSock: 'KPROBE_ACTION_UNTRACKSOCK',
  getUrl: 'KPROBE_ACTION_GETURL',
  dnsLookup: 'KPROBE_ACTION_DNSLOOKUP',
  set: 'KPROBE_ACTION_SET',
};

function kprobePart(event: PlainOf<ProcessKprobeEvent>): string {
  let text = `,"function_name":${quoteJson(event.functionName)}${argsPart(event)}`;
  if (event.return !== undefined) text += `,"return":${argumentJson(event.return)}`;
  text += actionPart(event);
  if (event.returnAction !== undefined) text += `,"return_action":"${ACTIONS[event.returnAction]}"`;
  text += notesPart(event);
  if (event.data.length > 0) text += `,"data":[${event.data.map(argumentJson).join(',')}]`;
  return text;
}

function tracepointPart(event: PlainOf<ProcessTracepointEvent>): string {
  const names = `,"subsys":${quoteJson(event.subsystem)},"event":${quoteJson(event.event)}`;
  return `${names}${argsPart(event)}${actionPart(event)}${notesPart(event)}`;
}

/** Protobuf's JSON writes bytes in base64. */
function loaderPart({ path, buildId = '' }: PlainOf<ProcessLoaderEvent>): string {
  return stringField('path', path) + stringField('buildid', Buffer.from(buildId, 'hex').toString('base64'));
}

function lsmPart(event: PlainOf<ProcessLsmEvent>): string {
  const names = `,"function_name":${quoteJson(event.functionName)}`;
  const hash = stringField('ima_hash', event.imaHash ?? '');
  return `${names}${argsPart(event)}${actionPart(event)}${notesPart(event)}${hash}`;
}

function uprobePart(event: PlainOf<ProcessUprobeEvent>): string {
  let text = `,"path":${quoteJson(event.path)}${stringField('symbol', event.symbol)}${argsPart(event)}`;
  if (event.return !== undefined) text += `,"return":${argumentJson(event.return)}`;
  text += longField('offset', event.address ?? event.offset) + longField('ref_ctr_offset', event.refCtrOffset);
  text += actionPart(event) + notesPart(event);
  if (event.data.length > 0) text += `,"data":[${event.data.map(argumentJson).join(',')}]`;
  return text;
}

function usdtPart(event: PlainOf<ProcessUsdtEvent>): string {
  let text = `,"path":${quoteJson(event.path)},"provider":${quoteJson(event.provider)},"name":${quoteJson(event.name)}`;
  text += notesPart(event);
  return text + argsPart(event) + actionPart(event);
}

type HookEvent =
  | PlainOf<ProcessKprobeEvent>
  | PlainOf<ProcessTracepointEvent>
  | PlainOf<ProcessLsmEvent>
  | PlainOf<ProcessUprobeEvent>
  | PlainOf<ProcessUsdtEvent>;

function argsPart({ args }: HookEvent): string {
  return args.length > 0 ? `,"args":[${args.map(argumentJson).join(',')}]` : '';
}

function actionPart(event: HookEvent): string {
  return `,"action":"${ACTIONS[event.action]}","policy_name":${quoteJson(event.policyName)}${actedPart(event)}`;
}

function notesPart({ message, tags }: HookEvent): string {
  const text = message === undefined ? '' : stringField('message', message);
  return tags.length > 0 ? `${text},"tags":[${tags.map(quoteJson).join(',')}]` : text;
}

/** Fields that only some events have. Of these, Tetragon's protocol contains only the stack traces. */
function actedPart(event: HookEvent): string {
  const { actions, policyMode, ofSocketOwner, suppressed, kernelStack, userStack } = event;
  let text = '';
  if (policyMode !== undefined) text += `,"policy_mode":"${policyMode}","actions":${JSON.stringify(actions)}`;
  if (ofSocketOwner) text += ',"of_socket_owner":true';
  text += numberField('suppressed', suppressed);
  if (kernelStack !== undefined) text += `,"kernel_stack_trace":[${kernelStack.map(frameJson).join(',')}]`;
  if (userStack !== undefined) text += `,"user_stack_trace":[${userStack.map(frameJson).join(',')}]`;
  return text;
}

/** `fileOffset` and `buildId` are not part of Tetragon's protocol. */
function frameJson({ address, offset, symbol, module, fileOffset, buildId }: StackFrame): string {
  return message(
    longField('address', address ?? 0n),
    longField('offset', offset ?? 0n),
    stringField('symbol', symbol ?? ''),
    stringField('module', module ?? ''),
    longField('file_offset', fileOffset ?? 0n),
    stringField('build_id', buildId ?? ''),
  );
}

/**
 * A process repeats in each of its events and in those of its children. All of its text except the thread id is made
 * once.
 */
const processes = new WeakMap<PlainProcess, { readonly beforeTid: string; readonly afterTid: string }>();

function processJson(process: PlainProcess, tid: number): string {
  let parts = processes.get(process);
  if (parts === undefined) {
    parts = {
      beforeTid: beforeTid(process),
      afterTid: `,"process_credentials":${JSON.stringify(process.credentials)}}`,
    };
    processes.set(process, parts);
  }
  return parts.beforeTid + tid + parts.afterTid;
}

function beforeTid(process: PlainProcess): string {
  let text = `{"exec_id":"${process.execId}","pid":${process.pid},"uid":${process.uid}`;
  text += stringField('cwd', process.cwd);
  text += stringField('binary', process.binary);
  if (process.binaryUntrusted) text += ',"binary_untrusted":true'; // our own
  text += stringField('arguments', process.arguments);
  text += stringField('flags', process.flags);
  text += `,"start_time":"${process.startTime}","auid":${process.auid}`;
  if (process.pod !== undefined) text += `,"pod":${podJson(process.pod)}`;
  // Tetragon keeps 31 characters.
  if (process.container !== undefined) text += `,"docker":${quoteJson(process.container.id.slice(0, 31))}`;
  text += stringField('parent_exec_id', process.parentExecId);
  text += `,"cap":${capabilitiesJson(process.capabilities)}`;
  return `${text},"ns":${namespacesJson(process.namespaces)},"tid":`;
}

function namespacesJson(namespaces: Namespaces): string {
  const inodes = machineNamespaces();
  const fields = NAMESPACE_NAMES.filter(({ key }) => namespaces[key] !== 0).map(({ key, file }) => {
    const isHost = inodes[key].includes(namespaces[key]) ? ',"is_host":true' : '';
    return `"${file}":{"inum":${namespaces[key]}${isHost}}`;
  });
  return `{${fields.join(',')}}`;
}

function podJson(pod: Pod): string {
  return JSON.stringify({
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    container: pod.container,
    pod_labels: pod.labels,
    workload: pod.workload,
    workload_kind: pod.workloadKind,
  });
}
