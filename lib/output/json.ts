/**
 * The JSON output: one line per event, with the names and nesting of Tetragon's export, in protobuf's JSON form (zero
 * values omitted, uint64 as strings).
 */
import type {
  HookArgument,
  PerformedAction,
  PlainOf,
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
import { quoteJson, safeJson } from './escape.js';
import { flat, kept, quoteName } from './kept-texts.js';
import { longField, message, numberField, stringField } from './json-fields.js';
import { SIGKILL } from '../names/signals.js';
import { processWriter } from './process-json.js';

const LEAN: JsonOptions = {};

export function toJson(event: PlainEvent, options = LEAN): string {
  const text = wholeJson(event, options);
  return options.fields === undefined || event.type === 'lost' ? text : filtered(text, event.type, options.fields);
}

/** The end of the first member, and what follows up to the time. */
const nodeText = kept((nodeName) => `},"node_name":${quoteJson(nodeName)},"time":"`);

function filtered(text: string, type: PlainEvent['type'], filter: NonNullable<JsonOptions['fields']>): string {
  const { [type]: fields, ...outer } = JSON.parse(text) as Record<string, JsonFields>;
  return safeJson(JSON.stringify({ [type]: filter(fields as JsonFields), ...outer }));
}

/** Performance matters here: the text is built by hand, and parts that repeat are cached. */
function wholeJson(event: PlainEvent, options: JsonOptions): string {
  const tail = `${nodeText(event.nodeName)}${event.time}"}`;
  switch (event.type) {
    case 'process_exec':
      return `{"process_exec":{${processPart(event, options)}${tail}`;
    case 'process_exit':
      return `{"process_exit":{${processPart(event, options)}${exitPart(event)}${tail}`;
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
    case 'lost': {
      const names = `"hook":${quoteJson(event.hook)},"policy_name":${quoteJson(event.policyName)}`;
      return `{"lost":{${names},"reason":"${event.reason}","count":${event.count}${tail}`;
    }
  }
}

type ProcessEvent = Exclude<PlainEvent, { readonly type: 'lost' }>;

/** `parent` is the process that `parent_exec_id` names: after a second exec, the former image of the process itself. */
function processPart(event: ProcessEvent, options: JsonOptions): string {
  const writer = processWriter(options);
  const again = event.process.formerExecId !== undefined;
  const parent = again ? event.former : event.parent;
  const text = writer.members(event.process, event.tid, parent);
  if (!hasAncestors(event, options)) return text;
  const ancestors = again && event.parent !== undefined ? [event.parent, ...event.ancestors] : event.ancestors;
  return ancestors.length === 0 ? text : `${text},"ancestors":[${ancestors.map((p) => writer.other(p)).join(',')}]`;
}

function hasAncestors({ type }: ProcessEvent, { ancestors = false }: JsonOptions): boolean {
  return typeof ancestors === 'boolean' ? ancestors : ancestors.includes(type);
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

/** For each action, the text of a policy's name. */
const ACTION_TEXTS = Object.fromEntries(
  Object.entries(ACTIONS).map(([action, name]) => [
    action,
    kept((policyName) => `,"action":"${name}","policy_name":${quoteJson(policyName)}`),
  ]),
) as Readonly<Record<keyof typeof ACTIONS, (policyName: string) => string>>;

function kprobePart(event: PlainOf<ProcessKprobeEvent>): string {
  let text = `${functionText(event.functionName)}${argsPart(event)}`;
  if (event.return !== undefined) text += `,"return":${argumentJson(event.return)}`;
  text += endPart(event, returnActionOf(event));
  if (event.data.length > 0) text += `,"data":[${event.data.map(argumentJson).join(',')}]`;
  return text;
}

const functionText = kept((name) => `,"function_name":${quoteJson(name)}`);

/** An event that has no action at the return has that of the entry if this killed the process. */
function returnActionOf(event: PlainOf<ProcessKprobeEvent>): keyof typeof ACTIONS {
  const { returnAction = 'post' } = event;
  if (returnAction !== 'post') return returnAction;
  for (const action of event.actions) if (kills(action)) return 'sigkill';
  return 'post';
}

function kills(action: PerformedAction): boolean {
  if (action.action !== 'signal' && action.action !== 'sigkill') return false;
  return action.outcome === 'done' && action.signal === SIGKILL;
}

function tracepointPart(event: PlainOf<ProcessTracepointEvent>): string {
  const names = `,"subsys":${quoteName(event.subsystem)},"event":${quoteName(event.event)}`;
  return `${names}${argsPart(event)}${endPart(event)}`;
}

/** Protobuf's JSON writes bytes in base64. */
function loaderPart({ path, buildId = '' }: PlainOf<ProcessLoaderEvent>): string {
  return stringField('path', path) + stringField('buildid', Buffer.from(buildId, 'hex').toString('base64'));
}

function lsmPart(event: PlainOf<ProcessLsmEvent>): string {
  const hash = stringField('ima_hash', event.imaHash ?? '');
  return `${functionText(event.functionName)}${argsPart(event)}${endPart(event)}${hash}`;
}

function uprobePart(event: PlainOf<ProcessUprobeEvent>): string {
  let text = `,"path":${quoteJson(event.path)}${stringField('symbol', event.symbol)}${argsPart(event)}`;
  if (event.return !== undefined) text += `,"return":${argumentJson(event.return)}`;
  text += longField('offset', event.address ?? event.offset) + longField('ref_ctr_offset', event.refCtrOffset);
  text += endPart(event);
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
  const [first] = args;
  if (first === undefined) return '';
  let text = `,"args":[${argumentJson(first)}`;
  for (let i = 1; i < args.length; i++) text += `,${argumentJson(args[i] as HookArgument)}`;
  return `${text}]`;
}

function actionPart(event: HookEvent): string {
  return ACTION_TEXTS[event.action](event.policyName) + actedPart(event);
}

/** The end of a hook's event, after its values. `returned` is the action at the return, which only events of functions of the kernel have. */
function endPart(event: HookEvent, returned?: keyof typeof ACTIONS): string {
  const acted = actedPart(event);
  const isPlain = acted === '' && event.action === 'post' && (returned === undefined || returned === 'post');
  return isPlain ? plainEnd(event, returned) : endText(event, acted, returned);
}

function endText(event: HookEvent, acted: string, returned: keyof typeof ACTIONS | undefined): string {
  const returnText = returned === undefined ? '' : `,"return_action":"${ACTIONS[returned]}"`;
  return `${ACTION_TEXTS[event.action](event.policyName)}${acted}${returnText}${notesPart(event)}`;
}

function notesPart({ message = '', tags }: HookEvent): string {
  return stringField('message', message) + (tags.length === 0 ? '' : `,"tags":[${tags.map(quoteJson).join(',')}]`);
}

/** The text is made once for each hook: it is the same for all its events that have nothing to say of actions. */
function plainEnd(event: HookEvent, returned: 'post' | undefined): string {
  const { tags, policyName, message } = event;
  const known = plainEnds.get(tags);
  const isSame = known?.policyName === policyName && known.message === message && known.returned === returned;
  if (isSame) return known.text;
  const text = flat(endText(event, '', returned));
  plainEnds.set(tags, { policyName, message, returned, text });
  return text;
}

interface PlainEnd {
  readonly policyName: string;
  readonly message: string | undefined;
  readonly returned: 'post' | undefined;
  readonly text: string;
}

/** The tags of a hook are the same array in all its events. */
const plainEnds = new WeakMap<readonly string[], PlainEnd>();

/** Fields that only some events have. Of these, Tetragon's protocol contains only the stack traces. */
function actedPart(event: HookEvent): string {
  const { policyMode, ofSocketOwner, suppressed, kernelStack, userStack } = event;
  let text = '';
  if (policyMode !== undefined) text += `,"policy_mode":"${policyMode}","actions":${JSON.stringify(event.actions)}`;
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
