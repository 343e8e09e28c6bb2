/**
 * Encodes events as tetragon.GetEventsResponse, once for all clients. This is the hot path, so the bytes are written
 * by hand. The tags come from the generated descriptors, and a test decodes with the generated code.
 */
import type { JsonValue } from '@bufbuild/protobuf';
import type {
  AgentEvent,
  ChangeClient,
  ChangeEvent,
  EnvironmentVariable,
  EventType,
  HookArgument,
  LostEvent,
  MarkCause,
  MessageEncoder,
  PerformedAction,
  PlainEvent,
  PlainOf,
  PlainProcess,
  StackFrame,
  TracerEvent,
} from '../../types/index.js';
import {
  EnvVarSchema,
  KprobeAction,
  MarkCauseSchema,
  MarkSchema,
  PerformedActionSchema,
  ProcessExecSchema,
  ProcessExitSchema,
  ProcessKprobeSchema,
  ProcessLoaderSchema,
  ProcessLsmSchema,
  ProcessTracepointSchema,
  ProcessUprobeSchema,
  ProcessUsdtSchema,
  ProcessSchema,
  StackTraceEntrySchema,
} from '../proto/tetragon/tetragon.gen.js';
import {
  ChangeClientSchema,
  ChangeSchema,
  GetEventsResponseSchema,
  ProcessThrottleSchema,
  RateLimitInfoSchema,
  ThrottleType,
} from '../proto/tetragon/events.gen.js';
import { exportEnvironment } from '../output/environment.js';
import { isJsonEncoded, writeArgument, writeArgumentFields } from './arguments.js';
import type { EncodeOptions } from './options.js';
import { exportedParent, toExportJson, ProcessEncoder, type ProcessEvent } from './process-encoder.js';
import { oneofTags, fieldTags } from './tags.js';
import { STRING_VALUE, WRAPPER_VALUE, Writer } from './writer.js';

const RESPONSE = fieldTags(GetEventsResponseSchema);
const CASE = oneofTags(GetEventsResponseSchema, 'event');
const PROCESS = fieldTags(ProcessSchema);
const EXEC = fieldTags(ProcessExecSchema);
const EXIT = fieldTags(ProcessExitSchema);
const KPROBE = fieldTags(ProcessKprobeSchema);
const TRACEPOINT = fieldTags(ProcessTracepointSchema);
const LSM = fieldTags(ProcessLsmSchema);
const UPROBE = fieldTags(ProcessUprobeSchema);
const USDT = fieldTags(ProcessUsdtSchema);
const LOADER = fieldTags(ProcessLoaderSchema);
const FRAME = fieldTags(StackTraceEntrySchema);
const ACTION = fieldTags(PerformedActionSchema);
const MARK = fieldTags(MarkSchema);
const CAUSE = fieldTags(MarkCauseSchema);
const THROTTLE = fieldTags(ProcessThrottleSchema);
const THROTTLE_TYPES = { start: ThrottleType.THROTTLE_START, stop: ThrottleType.THROTTLE_STOP } as const;
const VARIABLE = fieldTags(EnvVarSchema);
const LOSS = fieldTags(RateLimitInfoSchema);
const CHANGE = fieldTags(ChangeSchema);
const CLIENT = fieldTags(ChangeClientSchema);

const ACTIONS: Readonly<Record<PerformedAction['action'], KprobeAction>> = {
  post: KprobeAction.POST,
  signal: KprobeAction.SIGNAL,
  sigkill: KprobeAction.SIGKILL,
  override: KprobeAction.OVERRIDE,
  notifyEnforcer: KprobeAction.NOTIFYENFORCER,
  cleanupEnforcerNotification: KprobeAction.CLEANUPENFORCERNOTIFICATION,
  trackSock: KprobeAction.TRACKSOCK,
  untrackSock: KprobeAction.UNTRACKSOCK,
  getUrl: KprobeAction.GETURL,
  dnsLookup: KprobeAction.DNSLOOKUP,
  set: KprobeAction.SET,
  // the protocol has no action for marks; they are no main action
  mark: KprobeAction.POST,
  unmark: KprobeAction.POST,
};

type HookEvent = Extract<TracerEvent, { readonly actions: unknown }>;

/** The members of a lost event that the protocol has. */
export type LossFields = Pick<LostEvent, 'hook' | 'policyName' | 'reason' | 'count'>;

/** Events that a client did not get. */
export interface LossReport extends LossFields {
  readonly time: bigint;
  readonly nodeName: string;
}

const SECOND = 1_000_000_000n;

function noJson(): never {
  throw new Error('the value is encoded from the JSON of its event');
}

export class EventEncoder implements MessageEncoder {
  readonly #writer = new Writer();
  readonly #options: EncodeOptions;
  readonly #processes: ProcessEncoder;
  /** The start of the last second that was written, in nanoseconds since 1970. */
  #second = 0n;
  #seconds = 0;
  /** Length of the field `time`, which is the last one of an event. */
  timeLength = 0;

  constructor(options: EncodeOptions = {}) {
    this.#options = options;
    this.#processes = new ProcessEncoder(options);
  }

  /** Encodes an event. The writer holds the result until the next call. */
  encode(event: AgentEvent): Writer {
    const w = this.#writer;
    w.reset();
    this.#writeTime(w, RESPONSE.time, event.timeNs);
    this.timeLength = w.length;
    this.#writeNames(w, event.nodeName);
    const end = w.length;
    w.message(this.#writeEvent(w, event), end);
    return w;
  }

  /** Like `encode`, but returns the bytes. The next call overwrites them. */
  encodeMessage(event: PlainEvent): Uint8Array {
    return this.encode(event as AgentEvent).written;
  }

  /** See MessageEncoder. */
  encodeProcesses(
    process: PlainProcess,
    parent: PlainProcess | undefined,
    nodeName: string,
  ): readonly [process: Uint8Array, parent: Uint8Array] {
    // in all events, the processes have the same fields
    const event = {
      type: 'process_exec',
      nodeName,
      time: '',
      timeNs: 0n,
      process,
      parent,
      former: parent,
      tid: process.pid,
      ancestors: [],
    } as unknown as ProcessEvent;
    const w = this.#writer;
    w.reset();
    const related = exportedParent(event);
    if (related !== undefined) w.bytes(EXEC.parent, this.#processes.encodeParent(event, related));
    const parentLength = w.length;
    this.#processes.writeProcess(w, event);
    const { written } = w;
    const ownLength = written.length - parentLength;
    return [written.subarray(0, ownLength), written.subarray(ownLength)];
  }

  /** See MessageEncoder. Values that are encoded from the JSON of their event need the event. */
  encodeArgument(argument: HookArgument, position: number): Uint8Array | undefined {
    if (isJsonEncoded(argument)) return undefined;
    const w = this.#writer;
    w.reset();
    writeArgumentFields(w, argument, position, noJson);
    return w.written;
  }

  /** See MessageEncoder. */
  hasAncestors(type: EventType): boolean {
    const { ancestors = false } = this.#options;
    return typeof ancestors === 'boolean' ? ancestors : ancestors.includes(type);
  }

  /** Encodes the message that reports lost events to a client. */
  encodeLoss(loss: LossReport): Writer {
    const w = this.#writer;
    w.reset();
    this.#writeTime(w, RESPONSE.time, loss.time);
    this.#writeNames(w, loss.nodeName);
    const end = w.length;
    w.message(writeLoss(w, loss), end);
    return w;
  }

  #writeNames(w: Writer, nodeName: string): void {
    w.string(RESPONSE.clusterName, this.#options.clusterName ?? '');
    w.string(RESPONSE.nodeName, nodeName);
  }

  /** Writes the fields of the event's message, and returns its tag. */
  #writeEvent(w: Writer, event: AgentEvent): number {
    switch (event.type) {
      case 'process_exec':
        this.#writeProcesses(w, event, EXEC);
        return CASE.processExec;
      case 'process_exit':
        this.#writeTime(w, EXIT.time, event.timeNs);
        w.uint(EXIT.status, event.status);
        if (event.signal !== undefined) w.string(EXIT.signal, event.signal);
        this.#writeProcesses(w, event, EXIT);
        return CASE.processExit;
      case 'process_kprobe':
        this.#writeArguments(w, KPROBE.data, event, 'data', event.data);
        w.strings(KPROBE.tags, event.tags);
        if (event.message !== undefined) w.string(KPROBE.message, event.message);
        w.uint(KPROBE.returnAction, toReturnAction(event));
        this.#writeHook(w, event, KPROBE);
        if (event.return !== undefined) this.#writeReturn(w, KPROBE.return, event, event.return);
        this.#writeArguments(w, KPROBE.args, event, 'args', event.args);
        w.string(KPROBE.functionName, event.functionName);
        this.#writeProcesses(w, event, KPROBE);
        return CASE.processKprobe;
      case 'process_tracepoint':
        this.#writeHookFields(w, event, TRACEPOINT);
        w.string(TRACEPOINT.event, event.event);
        w.string(TRACEPOINT.subsys, event.subsystem);
        this.#writeProcesses(w, event, TRACEPOINT);
        return CASE.processTracepoint;
      case 'process_lsm':
        if (event.imaHash !== undefined) w.string(LSM.imaHash, event.imaHash);
        this.#writeHookFields(w, event, LSM);
        w.string(LSM.functionName, event.functionName);
        this.#writeProcesses(w, event, LSM);
        return CASE.processLsm;
      case 'process_uprobe':
        this.#writeArguments(w, UPROBE.data, event, 'data', event.data);
        if (event.address !== undefined) {
          const end = w.length;
          w.ulong(WRAPPER_VALUE, event.address);
          w.message(UPROBE.address, end);
        }
        w.ulong(UPROBE.refCtrOffset, event.refCtrOffset);
        w.ulong(UPROBE.offset, event.address ?? event.offset);
        if (event.return !== undefined) this.#writeReturn(w, UPROBE.return, event, event.return);
        // The return value is also the last argument.
        this.#writeHookFields(w, event, UPROBE, event.return === undefined ? [] : [event.return]);
        w.string(UPROBE.symbol, event.symbol);
        w.string(UPROBE.path, event.path);
        this.#writeProcesses(w, event, UPROBE);
        return CASE.processUprobe;
      case 'process_usdt':
        this.#writeHookFields(w, event, USDT);
        w.string(USDT.name, event.name);
        w.string(USDT.provider, event.provider);
        w.string(USDT.path, event.path);
        this.#writeProcesses(w, event, USDT);
        return CASE.processUsdt;
      case 'process_loader':
        if (event.buildId !== undefined) w.bytes(LOADER.buildid, Buffer.from(event.buildId, 'hex'));
        w.string(LOADER.path, event.path);
        this.#writeProcesses(w, event, LOADER);
        return CASE.processLoader;
      case 'process_throttle':
        w.string(THROTTLE.cgroup, event.cgroup);
        w.uint(THROTTLE.type, THROTTLE_TYPES[event.throttle]);
        return CASE.processThrottle;
      case 'change':
        return writeChange(w, event);
      case 'lost':
        return writeLoss(w, event);
    }
  }

  #writeProcesses(
    w: Writer,
    event: ProcessEvent,
    tags: { readonly process: number; readonly parent: number; readonly ancestors: number },
  ): void {
    if (this.hasAncestors(event.type)) {
      for (const bytes of this.#processes.encodeAncestors(event).reverse()) w.bytes(tags.ancestors, bytes);
    }
    const parent = exportedParent(event);
    if (parent !== undefined) w.bytes(tags.parent, this.#processes.encodeParent(event, parent));
    const end = w.length;
    const environment = exportEnvironment(event, this.#options.redact) ?? [];
    for (const variable of [...environment].reverse()) writeVariable(w, variable);
    w.wrapper(PROCESS.tid, event.tid);
    w.raw(this.#processes.encodeProcess(event));
    w.message(tags.process, end);
  }

  #writeHookFields(
    w: Writer,
    event: HookEvent,
    tags: typeof TRACEPOINT | typeof LSM | typeof UPROBE | typeof USDT,
    moreArgs: readonly HookArgument[] = [],
  ): void {
    w.strings(tags.tags, event.tags);
    if (event.message !== undefined) w.string(tags.message, event.message);
    this.#writeHook(w, event, tags);
    const args = moreArgs.length === 0 ? event.args : [...event.args, ...moreArgs];
    this.#writeArguments(w, tags.args, event, 'args', args);
  }

  #writeHook(
    w: Writer,
    event: HookEvent,
    tags: typeof KPROBE | typeof TRACEPOINT | typeof LSM | typeof UPROBE | typeof USDT,
  ): void {
    const { userStack, kernelStack, policyMode } = event;
    if (userStack !== undefined) writeFrames(w, tags.userStackTrace, userStack);
    if (kernelStack !== undefined) writeFrames(w, tags.kernelStackTrace, kernelStack);
    w.uint(tags.suppressed, event.suppressed);
    w.bool(tags.ofSocketOwner, event.ofSocketOwner);
    if (policyMode !== undefined || event.actions.some(({ action }) => action === 'mark' || action === 'unmark')) {
      for (const action of [...event.actions].reverse()) writeAction(w, tags.actions, action);
    }
    if (policyMode !== undefined) w.string(tags.policyMode, policyMode);
    for (const mark of [...(event.marks ?? [])].reverse()) writeMark(w, tags.marks, mark);
    w.string(tags.policyName, event.policyName);
    w.uint(tags.action, ACTIONS[event.action]);
  }

  #writeArguments(
    w: Writer,
    tag: number,
    event: HookEvent,
    name: 'args' | 'data',
    values: readonly HookArgument[],
  ): void {
    for (let i = values.length - 1; i >= 0; i--) {
      writeArgument(
        w,
        tag,
        values[i] as HookArgument,
        i,
        () => (this.#exportJson(event, name) as JsonValue[])[i] as JsonValue,
      );
    }
  }

  #writeReturn(w: Writer, tag: number, event: HookEvent, value: HookArgument): void {
    writeArgument(w, tag, value, 0, () => this.#exportJson(event, 'return'));
  }

  #exportJson(event: HookEvent, name: 'args' | 'data' | 'return'): JsonValue {
    return toExportJson(event)[name] as JsonValue;
  }

  #writeTime(w: Writer, tag: number, epochNs: bigint): void {
    let nanos = Number(epochNs - this.#second);
    if (!(nanos >= 0 && nanos < 1e9)) {
      const seconds = epochNs / SECOND;
      this.#second = seconds * SECOND;
      this.#seconds = Number(seconds);
      nanos = Number(epochNs - this.#second);
    }
    const end = w.length;
    w.uint(NANOS, nanos);
    w.uint(SECONDS, this.#seconds);
    w.message(tag, end);
  }
}

/** Fields of google.protobuf.Timestamp. */
const SECONDS = 8;
const NANOS = 16;

const SIGKILL = 9;

/**
 * Returns the action at the return. As in the JSON export, it is `sigkill` if only the entry had an action and this
 * killed the process.
 */
function toReturnAction({
  returnAction = 'post',
  actions,
}: Extract<TracerEvent, { readonly type: 'process_kprobe' }>): KprobeAction {
  return ACTIONS[returnAction === 'post' && actions.some(isKill) ? 'sigkill' : returnAction];
}

function isKill(action: PerformedAction): boolean {
  if (action.action !== 'signal' && action.action !== 'sigkill') return false;
  return action.outcome === 'done' && action.signal === SIGKILL;
}

function writeFrames(w: Writer, tag: number, frames: readonly StackFrame[]): void {
  for (const { address, offset, symbol, module, fileOffset, buildId } of [...frames].reverse()) {
    const end = w.length;
    w.string(FRAME.buildId, buildId ?? '');
    w.ulong(FRAME.fileOffset, fileOffset ?? 0n);
    w.string(FRAME.module, module ?? '');
    w.string(FRAME.symbol, symbol ?? '');
    w.ulong(FRAME.offset, offset ?? 0n);
    w.ulong(FRAME.address, address ?? 0n);
    w.message(tag, end);
  }
}

/** Fields are written from the last to the first. */
function writeMark(w: Writer, tag: number, { mark, scope, cause }: MarkCause): void {
  const end = w.length;
  if (cause !== undefined) {
    const causeEnd = w.length;
    const { timeNs, ageNs, execId, pid, command, functionName, argument } = cause;
    if (argument !== undefined) writeStringValue(w, CAUSE.argument, argument);
    w.string(CAUSE.functionName, functionName);
    w.string(CAUSE.command, command);
    w.uint(CAUSE.pid, pid);
    if (execId !== undefined) w.string(CAUSE.execId, execId);
    w.ulong(CAUSE.ageNs, ageNs);
    const timeEnd = w.length;
    w.uint(NANOS, Number(timeNs % SECOND));
    w.ulong(SECONDS, timeNs / SECOND);
    w.message(CAUSE.time, timeEnd);
    w.message(MARK.cause, causeEnd);
  }
  w.string(MARK.scope, scope);
  w.string(MARK.mark, mark);
  w.message(tag, end);
}

function writeAction(w: Writer, tag: number, action: PerformedAction): void {
  const end = w.length;
  if (action.onReturn === true) w.bool(ACTION.onReturn, true);
  if ('outcome' in action) w.string(ACTION.outcome, action.outcome);
  switch (action.action) {
    case 'post':
    case 'cleanupEnforcerNotification':
    case 'trackSock':
    case 'untrackSock':
      break;
    case 'mark':
    case 'unmark':
      w.string(ACTION.mark, action.mark);
      break;
    case 'signal':
    case 'sigkill':
      w.wrapper(ACTION.signal, action.signal);
      break;
    case 'override':
      if (action.target !== undefined) w.string(ACTION.target, action.target);
      if (action.registers !== undefined) w.strings(ACTION.registers, action.registers);
      if (action.value !== undefined) writeActionValue(w, action.value);
      break;
    case 'set':
      writeActionValue(w, action.value);
      w.wrapper(ACTION.index, action.index);
      break;
    case 'notifyEnforcer':
      if (action.value !== undefined) writeActionValue(w, action.value);
      if (action.signal !== undefined) w.wrapper(ACTION.signal, action.signal);
      break;
    case 'getUrl':
      writeStringValue(w, ACTION.url, action.url);
      break;
    case 'dnsLookup':
      writeStringValue(w, ACTION.name, action.name);
      break;
    default:
      action satisfies never;
  }
  w.string(ACTION.action, action.action);
  w.message(tag, end);
}

function writeActionValue(w: Writer, value: number): void {
  const end = w.length;
  w.double(DOUBLE_VALUE, value);
  w.message(ACTION.value, end);
}

/** Field 1, 64 bits: the value of a DoubleValue. */
const DOUBLE_VALUE = 9;

function writeStringValue(w: Writer, tag: number, text: string): void {
  const end = w.length;
  w.string(STRING_VALUE, text);
  w.message(tag, end);
}

function writeLoss(w: Writer, { hook, policyName, reason, count }: LossFields): number {
  w.string(LOSS.reason, reason);
  w.string(LOSS.policyName, policyName);
  w.string(LOSS.hook, hook);
  w.uint(LOSS.numberOfDroppedProcessEvents, count);
  return CASE.rateLimitInfo;
}

function writeChange(w: Writer, event: PlainOf<ChangeEvent>): number {
  if (event.client !== undefined) writeClient(w, event.client);
  w.string(CHANGE.source, event.source);
  w.string(CHANGE.way, event.way);
  w.string(CHANGE.mode, event.mode ?? '');
  if (event.enabled !== undefined) w.wrapper(CHANGE.enabled, Number(event.enabled));
  w.string(CHANGE.after, event.after ?? '');
  w.string(CHANGE.before, event.before ?? '');
  w.string(CHANGE.setting, event.setting ?? '');
  w.string(CHANGE.policyNamespace, event.policyNamespace);
  w.string(CHANGE.policyName, event.policyName);
  w.string(CHANGE.operation, event.operation);
  return CASE.change;
}

function writeClient(w: Writer, { address, pid, uid, gid, execId, binary, certificate }: ChangeClient): void {
  const end = w.length;
  if (certificate !== undefined) writeStringValue(w, CLIENT.certificate, certificate);
  w.string(CLIENT.binary, binary ?? '');
  w.string(CLIENT.execId, execId ?? '');
  if (gid !== undefined) w.wrapper(CLIENT.gid, gid);
  if (uid !== undefined) w.wrapper(CLIENT.uid, uid);
  if (pid !== undefined) w.wrapper(CLIENT.pid, pid);
  w.string(CLIENT.address, address);
  w.message(CHANGE.client, end);
}

function writeVariable(w: Writer, { name, value }: EnvironmentVariable): void {
  const end = w.length;
  w.string(VARIABLE.Value, value);
  w.string(VARIABLE.Key, name);
  w.message(PROCESS.environmentVariables, end);
}
