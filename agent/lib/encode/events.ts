/**
 * Events in protobuf: tetragon.GetEventsResponse. Each event is encoded once for all clients. This is the way of every event, so
 * the bytes are written by hand; the tags come from the generated descriptors, and a test decodes with the generated code.
 */
import type { JsonValue } from '@bufbuild/protobuf';
import type { HookArgument, LostEvent, PerformedAction, StackFrame, TracerEvent } from 'polytrace';
import {
  KprobeAction,
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
import { GetEventsResponseSchema, RateLimitInfoSchema } from '../proto/tetragon/events.gen.js';
import { writeArgument } from './arguments.js';
import type { EncodeOptions } from './options.js';
import { exportedParent, exportOf, ProcessParts, type ProcessEvent } from './process-parts.js';
import { casesOf, tagsOf } from './tags.js';
import { TEXT_VALUE, VALUE, Writer } from './writer.js';

const RESPONSE = tagsOf(GetEventsResponseSchema);
const CASE = casesOf(GetEventsResponseSchema, 'event');
const PROCESS = tagsOf(ProcessSchema);
const EXEC = tagsOf(ProcessExecSchema);
const EXIT = tagsOf(ProcessExitSchema);
const KPROBE = tagsOf(ProcessKprobeSchema);
const TRACEPOINT = tagsOf(ProcessTracepointSchema);
const LSM = tagsOf(ProcessLsmSchema);
const UPROBE = tagsOf(ProcessUprobeSchema);
const USDT = tagsOf(ProcessUsdtSchema);
const LOADER = tagsOf(ProcessLoaderSchema);
const FRAME = tagsOf(StackTraceEntrySchema);
const ACTION = tagsOf(PerformedActionSchema);
const LOSS = tagsOf(RateLimitInfoSchema);

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
};

type HookEvent = Extract<TracerEvent, { readonly actions: unknown }>;

/** A report of events that a client did not get. */
export interface Loss extends Pick<LostEvent, 'hook' | 'policyName' | 'reason' | 'count'> {
  readonly time: bigint;
  readonly nodeName: string;
}

const SECOND = 1_000_000_000n;

export class EventEncoder {
  readonly #writer = new Writer();
  readonly #options: EncodeOptions;
  readonly #processes: ProcessParts;
  /** Start of the last second that was written, in nanoseconds. */
  #second = 0n;
  #seconds = 0;
  /** Bytes of the field `time`, with which the last event ends. */
  timeLength = 0;

  constructor(options: EncodeOptions = {}) {
    this.#options = options;
    this.#processes = new ProcessParts(options);
  }

  /** Encodes an event. The result is in the writer until the next call. */
  encode(event: TracerEvent): Writer {
    const w = this.#writer;
    w.reset();
    this.#time(w, RESPONSE.time, event.timeNs);
    this.timeLength = w.length;
    this.#writeNames(w, event.nodeName);
    const end = w.length;
    w.message(this.#writeEvent(w, event), end);
    return w;
  }

  /** The message that says how many events a client did not get. */
  encodeLoss(loss: Loss): Writer {
    const w = this.#writer;
    w.reset();
    this.#time(w, RESPONSE.time, loss.time);
    this.#writeNames(w, loss.nodeName);
    const end = w.length;
    w.message(writeLoss(w, loss), end);
    return w;
  }

  #writeNames(w: Writer, nodeName: string): void {
    w.text(RESPONSE.clusterName, this.#options.clusterName ?? '');
    w.text(RESPONSE.nodeName, nodeName);
  }

  /** Writes the fields of the event's message, and returns its tag. */
  #writeEvent(w: Writer, event: TracerEvent): number {
    switch (event.type) {
      case 'process_exec':
        this.#writeProcesses(w, event, EXEC);
        return CASE.processExec;
      case 'process_exit':
        this.#time(w, EXIT.time, event.timeNs);
        w.uint(EXIT.status, event.status);
        if (event.signal !== undefined) w.text(EXIT.signal, event.signal);
        this.#writeProcesses(w, event, EXIT);
        return CASE.processExit;
      case 'process_kprobe':
        this.#arguments(w, KPROBE.data, event, 'data', event.data);
        w.texts(KPROBE.tags, event.tags);
        if (event.message !== undefined) w.text(KPROBE.message, event.message);
        w.uint(KPROBE.returnAction, returnActionOf(event));
        this.#writeHook(w, event, KPROBE);
        if (event.return !== undefined) this.#return(w, KPROBE.return, event, event.return);
        this.#arguments(w, KPROBE.args, event, 'args', event.args);
        w.text(KPROBE.functionName, event.functionName);
        this.#writeProcesses(w, event, KPROBE);
        return CASE.processKprobe;
      case 'process_tracepoint':
        this.#writeNotes(w, event, TRACEPOINT);
        w.text(TRACEPOINT.event, event.event);
        w.text(TRACEPOINT.subsys, event.subsystem);
        this.#writeProcesses(w, event, TRACEPOINT);
        return CASE.processTracepoint;
      case 'process_lsm':
        if (event.imaHash !== undefined) w.text(LSM.imaHash, event.imaHash);
        this.#writeNotes(w, event, LSM);
        w.text(LSM.functionName, event.functionName);
        this.#writeProcesses(w, event, LSM);
        return CASE.processLsm;
      case 'process_uprobe':
        this.#arguments(w, UPROBE.data, event, 'data', event.data);
        if (event.address !== undefined) {
          const end = w.length;
          w.ulong(VALUE, event.address);
          w.message(UPROBE.address, end);
        }
        w.ulong(UPROBE.refCtrOffset, event.refCtrOffset);
        w.ulong(UPROBE.offset, event.address ?? event.offset);
        if (event.return !== undefined) this.#return(w, UPROBE.return, event, event.return);
        this.#writeNotes(w, event, UPROBE);
        w.text(UPROBE.symbol, event.symbol);
        w.text(UPROBE.path, event.path);
        this.#writeProcesses(w, event, UPROBE);
        return CASE.processUprobe;
      case 'process_usdt':
        this.#writeNotes(w, event, USDT);
        w.text(USDT.name, event.name);
        w.text(USDT.provider, event.provider);
        w.text(USDT.path, event.path);
        this.#writeProcesses(w, event, USDT);
        return CASE.processUsdt;
      case 'process_loader':
        if (event.buildId !== undefined) w.bytes(LOADER.buildid, Buffer.from(event.buildId, 'hex'));
        w.text(LOADER.path, event.path);
        this.#writeProcesses(w, event, LOADER);
        return CASE.processLoader;
      case 'lost':
        return writeLoss(w, event);
    }
  }

  #writeProcesses(
    w: Writer,
    event: ProcessEvent,
    tags: { readonly process: number; readonly parent: number; readonly ancestors: number },
  ): void {
    const { ancestors = false } = this.#options;
    if (typeof ancestors === 'boolean' ? ancestors : ancestors.includes(event.type)) {
      for (const bytes of this.#processes.ancestors(event).reverse()) w.bytes(tags.ancestors, bytes);
    }
    const parent = exportedParent(event);
    if (parent !== undefined) w.bytes(tags.parent, this.#processes.parent(event, parent));
    const end = w.length;
    w.wrapped(PROCESS.tid, event.tid);
    w.raw(this.#processes.process(event));
    w.message(tags.process, end);
  }

  #writeNotes(w: Writer, event: HookEvent, tags: typeof TRACEPOINT | typeof LSM | typeof UPROBE | typeof USDT): void {
    w.texts(tags.tags, event.tags);
    if (event.message !== undefined) w.text(tags.message, event.message);
    this.#writeHook(w, event, tags);
    this.#arguments(w, tags.args, event, 'args', event.args);
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
    if (policyMode !== undefined) {
      for (const action of [...event.actions].reverse()) writeAction(w, tags.actions, action);
      w.text(tags.policyMode, policyMode);
    }
    w.text(tags.policyName, event.policyName);
    w.uint(tags.action, ACTIONS[event.action]);
  }

  #arguments(w: Writer, tag: number, event: HookEvent, name: 'args' | 'data', values: readonly HookArgument[]): void {
    for (let i = values.length - 1; i >= 0; i--) {
      writeArgument(
        w,
        tag,
        values[i] as HookArgument,
        i,
        () => (this.#exported(event, name) as JsonValue[])[i] as JsonValue,
      );
    }
  }

  #return(w: Writer, tag: number, event: HookEvent, value: HookArgument): void {
    writeArgument(w, tag, value, 0, () => this.#exported(event, 'return'));
  }

  #exported(event: HookEvent, name: 'args' | 'data' | 'return'): JsonValue {
    return exportOf(event)[name] as JsonValue;
  }

  #time(w: Writer, tag: number, epochNs: bigint): void {
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

/** As in the JSON export: an event without an action at the return has that of the entry if this killed the process. */
function returnActionOf({
  returnAction = 'post',
  actions,
}: Extract<TracerEvent, { readonly type: 'process_kprobe' }>): KprobeAction {
  return ACTIONS[returnAction === 'post' && actions.some(kills) ? 'sigkill' : returnAction];
}

function kills(action: PerformedAction): boolean {
  if (action.action !== 'signal' && action.action !== 'sigkill') return false;
  return action.outcome === 'done' && action.signal === SIGKILL;
}

function writeFrames(w: Writer, tag: number, frames: readonly StackFrame[]): void {
  for (const { address, offset, symbol, module, fileOffset, buildId } of [...frames].reverse()) {
    const end = w.length;
    w.text(FRAME.buildId, buildId ?? '');
    w.ulong(FRAME.fileOffset, fileOffset ?? 0n);
    w.text(FRAME.module, module ?? '');
    w.text(FRAME.symbol, symbol ?? '');
    w.ulong(FRAME.offset, offset ?? 0n);
    w.ulong(FRAME.address, address ?? 0n);
    w.message(tag, end);
  }
}

function writeAction(w: Writer, tag: number, action: PerformedAction): void {
  const end = w.length;
  if (action.onReturn === true) w.bool(ACTION.onReturn, true);
  if ('outcome' in action) w.text(ACTION.outcome, action.outcome);
  if ('name' in action) writeText(w, ACTION.name, action.name);
  if ('url' in action) writeText(w, ACTION.url, action.url);
  if ('target' in action && action.target !== undefined) w.text(ACTION.target, action.target);
  if ('registers' in action && action.registers !== undefined) w.texts(ACTION.registers, action.registers);
  if ('value' in action && action.value !== undefined) {
    const before = w.length;
    w.double(DOUBLE_VALUE, action.value);
    w.message(ACTION.value, before);
  }
  if ('signal' in action && action.signal !== undefined) w.wrapped(ACTION.signal, action.signal);
  if ('index' in action) w.wrapped(ACTION.index, action.index);
  w.text(ACTION.action, action.action);
  w.message(tag, end);
}

/** Field 1, 64 bits: the value of a DoubleValue. */
const DOUBLE_VALUE = 9;

function writeText(w: Writer, tag: number, text: string): void {
  const end = w.length;
  w.text(TEXT_VALUE, text);
  w.message(tag, end);
}

function writeLoss(
  w: Writer,
  { hook, policyName, reason, count }: Pick<Loss, 'hook' | 'policyName' | 'reason' | 'count'>,
): number {
  w.text(LOSS.reason, reason);
  w.text(LOSS.policyName, policyName);
  w.text(LOSS.hook, hook);
  w.uint(LOSS.numberOfDroppedProcessEvents, count);
  return CASE.rateLimitInfo;
}
