/**
 * The JSON output: one line per event, with the names and nesting of Tetragon's export, in protobuf's JSON form (zero
 * values omitted, uint64 as strings).
 */
import type {
  ChangeClient,
  ChangeEvent,
  EnvironmentVariable,
  HookArgument,
  MarkCause,
  PerformedAction,
  PlainOf,
  ProcessExecEvent,
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
import type { JsonFields, JsonOptions } from '../../types/output.js';
import { argumentJson } from './arguments-json.js';
import { quoteJson, escapeUnsafeJson } from './escape.js';
import { flattenString, memoize, quoteNameJson } from './memoize.js';
import { exportEnvironment } from './environment.js';
import { longField, message, numberField, stringField, stringMember } from './json-fields.js';
import { SIGKILL } from '../names/signals.js';
import { selectWriter } from './process-json.js';

const NO_OPTIONS: JsonOptions = {};

export function toJson(event: PlainEvent, options = NO_OPTIONS): string {
  const text = eventJson(event, options);
  return options.fields === undefined || !('process' in event)
    ? text
    : applyFieldFilter(text, event.type, options.fields);
}

/** Formats the end of the first member, and the members up to the time. */
export const nodePart = memoize((nodeName) => `},"node_name":${quoteJson(nodeName)},"time":"`);

function applyFieldFilter(text: string, type: PlainEvent['type'], filter: NonNullable<JsonOptions['fields']>): string {
  const { [type]: fields, ...outer } = JSON.parse(text) as Record<string, JsonFields>;
  return escapeUnsafeJson(JSON.stringify({ [type]: filter(fields as JsonFields), ...outer }));
}

/** Performance matters here: the JSON is concatenated by hand, and parts that repeat are cached. */
function eventJson(event: PlainEvent, options: JsonOptions): string {
  const tail = `${nodePart(event.nodeName)}${event.time}"}`;
  switch (event.type) {
    case 'process_exec':
    case 'process_exit':
      return `${headPart(event.type)}${processPart(event, options)}${exitPart(event)}${tail}`;
    case 'process_kprobe':
      return `{"process_kprobe":{${processPart(event, options)}${kprobePart(event)}${tail}`;
    case 'process_tracepoint':
      return `{"process_tracepoint":{${processPart(event, options)}${tracepointPart(event)}${tail}`;
    case 'process_lsm':
      return `{"process_lsm":{${processPart(event, options)}${lsmPart(event)}${tail}`;
    case 'process_loader':
      return `{"process_loader":{${processPart(event, options)}${loaderPart(event)}${tail}`;
    case 'process_uprobe':
      return `{"process_uprobe":{${processPart(event, options)}${uprobePart(event)}${tail}`;
    case 'process_usdt':
      return `{"process_usdt":{${processPart(event, options)}${usdtPart(event)}${tail}`;
    case 'process_throttle': {
      const fields = `"type":"THROTTLE_${event.throttle.toUpperCase()}"${stringField('cgroup', event.cgroup)}`;
      return `{"process_throttle":{${fields}${tail}`;
    }
    case 'change':
      return `{"change":{${changePart(event)}${tail}`;
    case 'lost': {
      const names = `"hook":${quoteJson(event.hook)},"policy_name":${quoteJson(event.policyName)}`;
      return `{"lost":{${names},"reason":"${event.reason}","count":${event.count}${tail}`;
    }
  }
}

type PlainProcessEvent = Extract<PlainEvent, { readonly process: unknown }>;

/**
 * In the export, `parent` has the id `parent_exec_id`. After a second exec, it is the process itself before that exec.
 */
export function processPart(event: PlainProcessEvent, options: JsonOptions): string {
  const writer = selectWriter(options);
  const hasFormer = event.process.formerExecId !== undefined;
  const parent = hasFormer ? event.former : event.parent;
  const environment = exportEnvironment(event, options.redact);
  const more = environment === undefined ? '' : environmentField(environment);
  const text = writer.writeMembers(event.process, event.tid, parent, more);
  if (!hasAncestors(event, options)) return text;
  const ancestors = hasFormer && event.parent !== undefined ? [event.parent, ...event.ancestors] : event.ancestors;
  return ancestors.length === 0
    ? text
    : `${text},"ancestors":[${ancestors.map((p) => writer.writeRelative(p)).join(',')}]`;
}

function environmentField(environment: readonly EnvironmentVariable[]): string {
  const variables = environment.map(({ name, value }) =>
    message(stringField('Key', name), stringField('Value', value)),
  );
  return variables.length === 0 ? '' : `,"environment_variables":[${variables.join(',')}]`;
}

export function hasAncestors({ type }: Pick<PlainEvent, 'type'>, { ancestors = false }: JsonOptions): boolean {
  return typeof ancestors === 'boolean' ? ancestors : ancestors.includes(type);
}

/** Formats the beginning of a line. */
export function headPart(type: PlainEvent['type']): string {
  return `{"${type}":{`;
}

/** Formats the members of an exit between the process and the node. An exec has none. */
export function exitPart(event: PlainOf<ProcessExecEvent | ProcessExitEvent>): string {
  if (event.type === 'process_exec') return '';
  const signal = event.signal === undefined ? '' : `,"signal":"${event.signal}"`;
  const status = event.status === 0 ? '' : `,"status":${event.status}`;
  return `${signal}${status},"time":"${event.time}"`;
}

const ACTION_NAMES: Readonly<Record<PlainOf<ProcessKprobeEvent>['action'], string>> = {
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
  // the protocol has no action for marks; they are no main action
  mark: 'KPROBE_ACTION_POST',
  unmark: 'KPROBE_ACTION_POST',
};

/** For each action, the text of a policy's name. */
const ACTION_PARTS = Object.fromEntries(
  Object.entries(ACTION_NAMES).map(([action, name]) => [
    action,
    memoize((policyName) => `,"action":"${name}","policy_name":${quoteJson(policyName)}`),
  ]),
) as Readonly<Record<keyof typeof ACTION_NAMES, (policyName: string) => string>>;

function kprobePart(event: PlainOf<ProcessKprobeEvent>): string {
  let text = `${functionPart(event.functionName)}${argsPart(event)}`;
  if (event.return !== undefined) text += `,"return":${argumentJson(event.return)}`;
  text += endPart(event, exportedReturnAction(event));
  if (event.data.length > 0) text += `,"data":[${event.data.map(argumentJson).join(',')}]`;
  return text;
}

const functionPart = memoize((name) => `,"function_name":${quoteJson(name)}`);

/** Without an action at the return, the return action is that of the entry if that action killed the process. */
function exportedReturnAction(event: PlainOf<ProcessKprobeEvent>): keyof typeof ACTION_NAMES {
  const { returnAction = 'post' } = event;
  if (returnAction !== 'post') return returnAction;
  for (const action of event.actions) if (isKill(action)) return 'sigkill';
  return 'post';
}

function isKill(action: PerformedAction): boolean {
  if (action.action !== 'signal' && action.action !== 'sigkill') return false;
  return action.outcome === 'done' && action.signal === SIGKILL;
}

function tracepointPart(event: PlainOf<ProcessTracepointEvent>): string {
  const names = `,"subsys":${quoteNameJson(event.subsystem)},"event":${quoteNameJson(event.event)}`;
  return `${names}${argsPart(event)}${endPart(event)}`;
}

/** Protobuf's JSON writes bytes in base64. */
function loaderPart({ path, buildId = '' }: PlainOf<ProcessLoaderEvent>): string {
  return stringField('path', path) + stringField('buildid', Buffer.from(buildId, 'hex').toString('base64'));
}

function lsmPart(event: PlainOf<ProcessLsmEvent>): string {
  const hash = stringField('ima_hash', event.imaHash ?? '');
  return `${functionPart(event.functionName)}${argsPart(event)}${endPart(event)}${hash}`;
}

function uprobePart(event: PlainOf<ProcessUprobeEvent>): string {
  // As in Tetragon, which has no member `return`, the return value is the last argument, too.
  const args = event.return === undefined ? event.args : [...event.args, event.return];
  let text = `,${stringMember('path', event.path)}${stringField('symbol', event.symbol)}${argsPart({ args })}`;
  if (event.return !== undefined) text += `,"return":${argumentJson(event.return)}`;
  text += longField('offset', event.address ?? event.offset) + longField('ref_ctr_offset', event.refCtrOffset);
  text += endPart(event);
  if (event.data.length > 0) text += `,"data":[${event.data.map(argumentJson).join(',')}]`;
  return text;
}

function usdtPart(event: PlainOf<ProcessUsdtEvent>): string {
  const names = `${stringMember('provider', event.provider)},${stringMember('name', event.name)}`;
  let text = `,${stringMember('path', event.path)},${names}`;
  text += notesPart(event);
  return text + argsPart(event) + actionPart(event);
}

/** The fields are in the order of the protocol. */
function changePart(event: PlainOf<ChangeEvent>): string {
  const { client, enabled } = event;
  return [
    `"operation":"${event.operation}"`,
    stringField('policy_name', event.policyName),
    stringField('policy_namespace', event.policyNamespace),
    stringField('setting', event.setting ?? ''),
    stringField('before', event.before ?? ''),
    stringField('after', event.after ?? ''),
    enabled === undefined ? '' : `,"enabled":${enabled}`,
    stringField('mode', event.mode ?? ''),
    `,"way":"${event.way}"`,
    stringField('source', event.source),
    client === undefined ? '' : `,"client":${clientJson(client)}`,
  ].join('');
}

function clientJson({ address, pid, uid, gid, execId, binary, certificate }: ChangeClient): string {
  const numbers = Object.entries({ pid, uid, gid }).map(([name, value]) =>
    value === undefined ? '' : `,"${name}":${value}`,
  );
  return message(
    stringField('address', address),
    ...numbers,
    stringField('exec_id', execId ?? ''),
    stringField('binary', binary ?? ''),
    certificate === undefined ? '' : `,${stringMember('certificate', certificate)}`,
  );
}

type PlainHookEvent =
  | PlainOf<ProcessKprobeEvent>
  | PlainOf<ProcessTracepointEvent>
  | PlainOf<ProcessLsmEvent>
  | PlainOf<ProcessUprobeEvent>
  | PlainOf<ProcessUsdtEvent>;

function argsPart({ args }: Pick<PlainHookEvent, 'args'>): string {
  const [first] = args;
  if (first === undefined) return '';
  let text = `,"args":[${argumentJson(first)}`;
  for (let i = 1; i < args.length; i++) text += `,${argumentJson(args[i] as HookArgument)}`;
  return `${text}]`;
}

function actionPart(event: PlainHookEvent): string {
  return ACTION_PARTS[event.action](event.policyName) + extensionPart(event);
}

/** Formats the members after the values. `returned` is the return action: only events of kernel functions have one. */
function endPart(event: PlainHookEvent, returned?: keyof typeof ACTION_NAMES): string {
  const extensions = extensionPart(event);
  const isPlain = extensions === '' && event.action === 'post' && (returned === undefined || returned === 'post');
  return isPlain ? cachedEnd(event, returned) : buildEnd(event, extensions, returned);
}

function buildEnd(event: PlainHookEvent, extensions: string, returned: keyof typeof ACTION_NAMES | undefined): string {
  const returnText = returned === undefined ? '' : `,"return_action":"${ACTION_NAMES[returned]}"`;
  return `${ACTION_PARTS[event.action](event.policyName)}${extensions}${returnText}${notesPart(event)}`;
}

function notesPart({ message = '', tags }: PlainHookEvent): string {
  return stringField('message', message) + (tags.length === 0 ? '' : `,"tags":[${tags.map(quoteJson).join(',')}]`);
}

/** Formats the end of an event that was only posted. It is the same for all such events of a hook, so it is cached. */
function cachedEnd(event: PlainHookEvent, returned: 'post' | undefined): string {
  const { tags, policyName, message } = event;
  const known = cachedEnds.get(tags);
  const isSame = known?.policyName === policyName && known.message === message && known.returned === returned;
  if (isSame) return known.text;
  const text = flattenString(buildEnd(event, '', returned));
  cachedEnds.set(tags, { policyName, message, returned, text });
  return text;
}

interface CachedEnd {
  readonly policyName: string;
  readonly message: string | undefined;
  readonly returned: 'post' | undefined;
  readonly text: string;
}

/** The tags of a hook are the same array in all its events. */
const cachedEnds = new WeakMap<readonly string[], CachedEnd>();

/** Formats fields that few events have. Tetragon's protocol contains only the stack traces. */
function extensionPart(event: PlainHookEvent): string {
  const { policyMode, ofSocketOwner, suppressed, kernelStack, userStack, marks } = event;
  let text = '';
  if (policyMode !== undefined) text += `,"policy_mode":"${policyMode}"`;
  if (policyMode !== undefined || event.actions.some(isOfMark)) text += `,"actions":${JSON.stringify(event.actions)}`;
  if (ofSocketOwner) text += ',"of_socket_owner":true';
  text += numberField('suppressed', suppressed);
  if (marks !== undefined) text += `,"marks":[${marks.map(markJson).join(',')}]`;
  if (kernelStack !== undefined) text += `,"kernel_stack_trace":[${kernelStack.map(frameJson).join(',')}]`;
  if (userStack !== undefined) text += `,"user_stack_trace":[${userStack.map(frameJson).join(',')}]`;
  return text;
}

function isOfMark({ action }: PerformedAction): boolean {
  return action === 'mark' || action === 'unmark';
}

function markJson({ mark, scope, cause }: MarkCause): string {
  const text = cause === undefined ? '' : `,"cause":${causeJson(cause)}`;
  return `{${stringMember('mark', mark)},"scope":"${scope}"${text}}`;
}

function causeJson({ time, ageNs, execId, pid, command, functionName, argument }: NonNullable<MarkCause['cause']>) {
  return message(
    stringField('time', time),
    longField('age_ns', ageNs),
    stringField('exec_id', execId ?? ''),
    numberField('pid', pid),
    stringField('command', command),
    stringField('function_name', functionName),
    argument === undefined ? '' : `,${stringMember('argument', argument)}`,
  );
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
