/** The events that iterators return. They point into the slab with their record, and decode a field when it is read. */
import { inspect } from 'node:util';
import type {
  EventType,
  FileArgument,
  HookArgument,
  JsonOf,
  LossReason,
  LostEvent,
  PerformedAction,
  PlainOf,
  RequestOutcome,
  Process,
  ProcessExecEvent,
  ProcessExitEvent,
  ProcessKprobeEvent,
  ProcessLoaderEvent,
  ProcessLsmEvent,
  ProcessTracepointEvent,
  StackFrame,
  ProcessUprobeEvent,
  ProcessUsdtEvent,
  TracerEvent,
} from '../../types/events.js';
import type { HookImage, ProgramPlace, ValueImage } from '../image/image.js';
import { signalName } from '../names/signals.js';
import { formatTime } from '../process/clock.js';
import { COPY, copyOf, jsonOf } from '../process/plain.js';
import { IMAGE, type ProcessView } from '../process/view.js';
import { decodeArgument } from '../wire/decode/arguments.js';
import { EventExit, EventFlag, EventHeader, EventHook } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';
import { buildIdOfMapped } from './build-ids.js';
import { imaHashOf } from './ima.js';
import {
  actionsOf,
  isSilent,
  mainAction,
  performedActions,
  policyModeOf,
  requestsOf,
  type EventActions,
} from './performed.js';
import { startRequest, type PolicyRequests } from './requests.js';
import { addressesOf, kernelFrames, userFrames } from './stacks.js';

/** The data of a loaded hook that its events need. */
export interface LoadedHook {
  readonly id: number;
  readonly policyName: string;
  readonly functionName: string;
  /** The function names by place, if several functions share one program. */
  readonly functions?: readonly string[];
  readonly image: HookImage;
  /** True if stack traces contain addresses. */
  readonly stackAddresses?: boolean;
  readonly requests?: PolicyRequests;
  readonly tally: HookTally;
}

/** The counters of a hook in user space. */
export interface HookTally {
  /** Number of records that were read. */
  posted: number;
  /** Number of matched calls without a record. */
  unrecorded: number;
  /** Number of calls that the kernel skipped, or whose return it did not see. */
  missed: number;
}

export function newTally(): HookTally {
  return { posted: 0, unrecorded: 0, missed: 0 };
}

/**
 * The own members besides the process are inert data: nothing acts on the machine when it is called. structuredClone()
 * and postMessage() refuse the slab, see there.
 */
abstract class RecordEvent {
  constructor(
    protected readonly slab: Slab,
    protected readonly at: number,
    readonly process: ProcessView,
  ) {}

  get timeNs(): bigint {
    return this.process[IMAGE].context.clock.toEpoch(this.slab.u64(this.at + EventHeader.time));
  }

  get time(): string {
    return formatTime(this.timeNs);
  }

  get nodeName(): string {
    return this.process[IMAGE].context.nodeName;
  }

  /** In every record the key follows the header. */
  get tid(): number {
    return this.slab.u32(this.at + EventExit.keyTid);
  }

  get parent(): Process | undefined {
    return this.process[IMAGE].parentImage?.view;
  }

  get former(): Process | undefined {
    return this.process[IMAGE].formerImage?.view;
  }

  get ancestors(): readonly Process[] {
    return this.process[IMAGE].ancestors;
  }

  abstract get type(): Exclude<EventType, 'lost'>;

  [COPY](): Record<string, unknown> {
    return copyOf(this, FIELDS[this.type]);
  }

  toObject(): never {
    return this[COPY]() as never;
  }

  toJSON(): never {
    return jsonOf(this[COPY]()) as never;
  }

  /** Without the ancestors, which would fill the terminal. */
  [inspect.custom](): Record<string, unknown> {
    const { ancestors: _, ...rest } = this[COPY]();
    return rest;
  }
}

export class ExecEvent extends RecordEvent {
  get type(): 'process_exec' {
    return 'process_exec';
  }
}

export class ExitEvent extends RecordEvent {
  get type(): 'process_exit' {
    return 'process_exit';
  }

  get status(): number {
    return (this.#raw() >> 8) & 0xff;
  }

  get signal(): string | undefined {
    const number = this.#raw() & 0x7f;
    return number === 0 ? undefined : signalName(number);
  }

  get coreDumped(): boolean {
    return (this.#raw() & 0x80) !== 0;
  }

  #raw(): number {
    return this.slab.u32(this.at + EventExit.status);
  }
}

/** An event of a policy's hook: the fields that all kinds of hooks have. */
abstract class HookEvent extends RecordEvent {
  readonly #outcomes: readonly RequestOutcome[];
  #args: readonly HookArgument[] | undefined;
  #userStack: readonly StackFrame[] | undefined;

  constructor(
    slab: Slab,
    at: number,
    process: ProcessView,
    protected readonly hook: LoadedHook,
    outcomes: readonly RequestOutcome[],
  ) {
    super(slab, at, process);
    this.#outcomes = outcomes;
  }

  /** Index of the function or place that was hit, if several share the hook's program. */
  protected get place(): number {
    return this.slab.u16(this.at + EventHook.place);
  }

  /** Decodes values. The slots are those of args, then data, then the return value. */
  protected decode(values: readonly ValueImage[], first: number): HookArgument[] {
    const size = this.slab.u32(this.at + EventHeader.size);
    const args: HookArgument[] = [];
    let slot = first;
    for (const value of values) {
      const argument = decodeArgument(this.slab, this.at, size, slot++, value);
      if (argument !== undefined) args.push(argument);
    }
    return args;
  }

  get policyName(): string {
    return this.hook.policyName;
  }

  get args(): readonly HookArgument[] {
    this.#args ??= this.decode(this.hook.image.args, 0);
    return this.#args;
  }

  get action(): PerformedAction['action'] {
    return mainAction(this.actions.filter(({ onReturn }) => onReturn !== true));
  }

  get actions(): readonly PerformedAction[] {
    return performedActions(this.slab, this.at, this.#selectorActions, this.#outcomes);
  }

  get policyMode(): 'enforce' | 'monitor' | undefined {
    return policyModeOf(this.slab, this.at, this.#selectorActions, this.#outcomes);
  }

  get #selectorActions(): EventActions | undefined {
    return actionsOf(this.slab, this.at, this.hook.image, this.selector);
  }

  get ofSocketOwner(): boolean {
    return (this.slab.u16(this.at + EventHeader.flags) & EventFlag.EVENT_OF_OWNER) !== 0;
  }

  get suppressed(): number {
    return this.slab.u32(this.at + EventHook.suppressed);
  }

  get kernelStack(): readonly StackFrame[] | undefined {
    const addresses = addressesOf(this.slab, this.at, EventHook.kernelStack);
    return addresses && kernelFrames(addresses, this.hook.stackAddresses === true);
  }

  /**
   * The files of the process are read on first access. If the process has ended by then, only addresses are known. In the
   * event of a socket owner, the addresses belong to the process that was running.
   */
  get userStack(): readonly StackFrame[] | undefined {
    const addresses = addressesOf(this.slab, this.at, EventHook.userStack);
    this.#userStack ??=
      addresses &&
      userFrames(
        addresses,
        this.ofSocketOwner ? undefined : this.process[IMAGE].pid,
        this.hook.stackAddresses === true,
      );
    return this.#userStack;
  }

  get message(): string | undefined {
    return this.hook.image.message;
  }

  get tags(): readonly string[] {
    return this.hook.image.tags;
  }

  get selector(): number {
    return selectorOf(this.slab, this.at);
  }
}

function selectorOf(slab: Slab, at: number): number {
  const low = slab.u32(at + EventHook.matched);
  return low !== 0 ? 31 - Math.clz32(low) : 63 - Math.clz32(slab.u32(at + EventHook.matched + 4));
}

/** An event of a function. It may have values that are not parameters, and a return value. */
abstract class FunctionEvent extends HookEvent {
  #data: readonly HookArgument[] | undefined;

  get data(): readonly HookArgument[] {
    const { args, data } = this.hook.image;
    this.#data ??= this.decode(data, args.length);
    return this.#data;
  }

  get return(): HookArgument | undefined {
    const { args, data, returnArg } = this.hook.image;
    return returnArg === undefined ? undefined : this.decode([returnArg], args.length + data.length)[0];
  }

  get returnAction(): PerformedAction['action'] | undefined {
    const { returnArg, returnedSocket } = this.hook.image;
    if (returnArg === undefined) return undefined;
    const main = mainAction(this.actions.filter(({ onReturn }) => onReturn === true));
    return main === 'post' ? (returnedSocket ?? main) : main;
  }
}

export class KprobeEvent extends FunctionEvent {
  get type(): 'process_kprobe' {
    return 'process_kprobe';
  }

  get functionName(): string {
    const { functions, functionName } = this.hook;
    return functions === undefined ? functionName : (functions[this.place] ?? functionName);
  }
}

class TracepointEvent extends HookEvent {
  get type(): 'process_tracepoint' {
    return 'process_tracepoint';
  }

  get subsystem(): string {
    return this.hook.image.tracepoint?.subsystem ?? '';
  }

  get event(): string {
    return this.hook.image.tracepoint?.event ?? '';
  }
}

class LsmEvent extends HookEvent {
  get type(): 'process_lsm' {
    return 'process_lsm';
  }

  get functionName(): string {
    return this.hook.functionName;
  }

  get imaHash(): string | undefined {
    return imaHashOf(this.slab, this.at);
  }
}

class UprobeEvent extends FunctionEvent {
  get type(): 'process_uprobe' {
    return 'process_uprobe';
  }

  get path(): string {
    return this.#program.path;
  }

  get symbol(): string {
    return this.#program.symbol ?? '';
  }

  get offset(): bigint {
    return this.#program.symbolOffset ?? this.#program.fileOffset ?? 0n;
  }

  get address(): bigint | undefined {
    return this.#program.address;
  }

  get refCtrOffset(): bigint {
    return this.#program.refCtrOffset ?? 0n;
  }

  get #program(): ProgramPlace {
    const { places, program } = this.hook.image;
    return places?.[this.place] ?? program ?? NO_PLACE;
  }
}

/** The place for hooks of other kinds. */
const NO_PLACE: ProgramPlace = { path: '' };

class UsdtEvent extends HookEvent {
  get type(): 'process_usdt' {
    return 'process_usdt';
  }

  get path(): string {
    return this.hook.image.usdt?.path ?? '';
  }

  get provider(): string {
    return this.hook.image.usdt?.provider ?? '';
  }

  get name(): string {
    return this.hook.image.usdt?.name ?? '';
  }
}

/** The event of `loader: true`. */
class LoaderEvent extends RecordEvent {
  readonly #hook: LoadedHook;
  #buildId: string | undefined | null = null;

  constructor(slab: Slab, at: number, process: ProcessView, hook: LoadedHook) {
    super(slab, at, process);
    this.#hook = hook;
  }

  get type(): 'process_loader' {
    return 'process_loader';
  }

  get policyName(): string {
    return this.#hook.policyName;
  }

  get path(): string {
    return this.#file.path;
  }

  get inode(): bigint {
    return this.#file.inode;
  }

  get device(): FileArgument['device'] {
    return this.#file.device;
  }

  get buildId(): string | undefined {
    if (this.#buildId === null) this.#buildId = buildIdOfMapped(this.process[IMAGE].pid, this.#file);
    return this.#buildId;
  }

  get #file(): FileArgument {
    const size = this.slab.u32(this.at + EventHeader.size);
    return decodeArgument(this.slab, this.at, size, 0, this.#hook.image.args[0] as ValueImage) as FileArgument;
  }
}

/**
 * The event for a record of this hook; undefined if it is not reported. Makes the requests of the event's selector:
 * an event with NoPost exists only for them.
 */
export function hookEvent(slab: Slab, at: number, process: ProcessView, hook: LoadedHook): TracerEvent | undefined {
  if (hook.image.kind === 'loader') return new LoaderEvent(slab, at, process, hook) as TracerEvent;
  const { requests } = hook;
  const actions = requests && actionsOf(slab, at, hook.image, selectorOf(slab, at));
  if (requests === undefined || actions === undefined) return eventOf(slab, at, process, hook, NO_REQUESTS);
  const outcomes = requestsOf(actions).map((request) => startRequest(requests, request));
  return isSilent(actions) ? undefined : eventOf(slab, at, process, hook, outcomes);
}

const NO_REQUESTS: readonly RequestOutcome[] = [];

function eventOf(
  slab: Slab,
  at: number,
  process: ProcessView,
  hook: LoadedHook,
  outcomes: readonly RequestOutcome[],
): TracerEvent {
  switch (hook.image.kind) {
    case 'tracepoint':
    case 'raw_tracepoint':
      return new TracepointEvent(slab, at, process, hook, outcomes) as TracerEvent;
    case 'lsm':
      return new LsmEvent(slab, at, process, hook, outcomes) as TracerEvent;
    case 'uprobe':
      return new UprobeEvent(slab, at, process, hook, outcomes) as TracerEvent;
    case 'usdt':
      return new UsdtEvent(slab, at, process, hook, outcomes) as TracerEvent;
    default:
      return new KprobeEvent(slab, at, process, hook, outcomes) as TracerEvent;
  }
}

/** It has its values itself, because it has no record. */
export class LossEvent implements LostEvent {
  readonly type = 'lost' as const;
  readonly time: string;

  constructor(
    readonly hook: string,
    readonly policyName: string,
    readonly reason: LossReason,
    readonly count: number,
    readonly nodeName: string,
    readonly timeNs: bigint,
  ) {
    this.time = formatTime(timeNs);
    Object.freeze(this);
  }

  toObject(): PlainOf<LostEvent> {
    return Object.freeze({ ...this });
  }

  toJSON(): JsonOf<PlainOf<LostEvent>> {
    return jsonOf({ ...this }) as JsonOf<PlainOf<LostEvent>>;
  }
}

const OF_RECORDS = ['type', 'time', 'timeNs', 'nodeName', 'process', 'parent', 'former', 'ancestors', 'tid'] as const;
const OF_HOOKS = [
  ...OF_RECORDS, 'policyName', 'args', 'action', 'actions', 'policyMode', 'ofSocketOwner', 'suppressed', 'kernelStack',
  'userStack', 'message', 'tags', 'selector',
] as const; // prettier-ignore
const OF_FUNCTIONS = [...OF_HOOKS, 'data', 'return', 'returnAction'] as const;
const OF_UPROBES = [...OF_FUNCTIONS, 'path', 'symbol', 'offset', 'address', 'refCtrOffset'] as const;

/** The members that toObject() copies. */
const FIELDS = {
  process_exec: OF_RECORDS,
  process_exit: [...OF_RECORDS, 'status', 'signal', 'coreDumped'],
  process_kprobe: [...OF_FUNCTIONS, 'functionName'],
  process_tracepoint: [...OF_HOOKS, 'subsystem', 'event'],
  process_lsm: [...OF_HOOKS, 'functionName', 'imaHash'],
  process_uprobe: OF_UPROBES,
  process_usdt: [...OF_HOOKS, 'path', 'provider', 'name'],
  process_loader: [...OF_RECORDS, 'policyName', 'path', 'buildId', 'inode', 'device'],
} as const satisfies { readonly [T in Exclude<EventType, 'lost'>]: readonly KeyOf<T>[] };

type KeyOf<T> = keyof PlainOf<Extract<TracerEvent, { readonly type: T }>>;
/** Names the members that the table above lacks. It must be empty. */
type Missing = {
  [T in keyof typeof FIELDS]: Exclude<KeyOf<T>, (typeof FIELDS)[T][number]>;
}[keyof typeof FIELDS];

// These types check that the classes implement the public contract.
type Optional<T> = { [K in keyof T]: undefined extends T[K] ? T[K] | undefined : T[K] };
type Check<Class extends Contract, Contract> = [Class, Contract];
/** @public Only the compiler uses it. */
export type ContractChecks = [
  Check<Missing, never>,
  Check<ExecEvent, Optional<ProcessExecEvent>>,
  Check<ExitEvent, Optional<ProcessExitEvent>>,
  Check<KprobeEvent, Optional<ProcessKprobeEvent>>,
  Check<TracepointEvent, Optional<ProcessTracepointEvent>>,
  Check<LsmEvent, Optional<ProcessLsmEvent>>,
  Check<LoaderEvent, Optional<ProcessLoaderEvent>>,
  Check<UprobeEvent, Optional<ProcessUprobeEvent>>,
  Check<UsdtEvent, Optional<ProcessUsdtEvent>>,
];
