/** The events of a policy's hooks. */
import type { HookArgument, MarkCause, PerformedAction, RequestOutcome, StackFrame } from '../../types/events.js';
import type { CompiledHook, UprobeAttachPoint, CompiledValue } from '../compiled/compiled-policy.js';
import type { TrackedProcess } from '../process/process.js';
import { getTrackedProcess, type ProcessView } from '../process/view.js';
import { decodeArgument } from '../wire/decode/arguments.js';
import { EventFlag, EventHeader, EventHook } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import type { LoadedHook } from './hook.js';
import type { LateMembers } from './late-members.js';
import { readImaHash } from './ima.js';
import { readMarks } from './marks.js';
import {
  readEventActions,
  mainAction,
  performedActions,
  readPolicyMode,
  POST,
  type EventActions,
} from './performed-actions.js';
import { RecordEvent, recordChunk, recordStart } from './record.js';
import type { ResolvedFrame } from './mapped-files.js';
import { readStackAddresses, resolveKernelFrames, toUserFrames } from './stacks.js';

let getHook: (event: HookEvent) => LoadedHook;
let getRareMembers: (event: HookEvent) => RareMembers;

/**
 * Members that few events have, or that few programs read. An event has this object only if it needs it, to save
 * memory.
 */
interface RareMembers {
  readonly outcomes: readonly RequestOutcome[];
  data: readonly HookArgument[] | undefined;
  userStack: readonly StackFrame[] | undefined;
}

function createRareMembers(outcomes: readonly RequestOutcome[]): RareMembers {
  return { outcomes, data: undefined, userStack: undefined };
}

const NO_OUTCOMES: readonly RequestOutcome[] = [];
const NO_FRAMES: ReadonlyMap<bigint, ResolvedFrame> = new Map();

/** The members that the events of all kinds of hooks have. */
abstract class HookEvent extends RecordEvent {
  readonly #hook: LoadedHook;
  #args: readonly HookArgument[] | undefined;
  #rare: RareMembers | undefined;

  constructor(
    chunk: RecordChunk,
    start: number,
    process: ProcessView,
    hook: LoadedHook,
    outcomes: readonly RequestOutcome[],
  ) {
    super(chunk, start, process);
    this.#hook = hook;
    if (outcomes.length > 0) this.#rare = createRareMembers(outcomes);
    if (hook.lateMembers !== undefined) this.#awaitFrames(hook.lateMembers);
  }

  #awaitFrames(members: LateMembers): void {
    // in the event of a socket owner, the addresses belong to the process that was running
    const addresses = this.ofSocketOwner ? undefined : this.#userAddresses;
    if (addresses === undefined) return;
    members.addStack({
      pid: getTrackedProcess(this.process).pid,
      addresses,
      setFrames: (frames) => (getRareMembers(this).userStack ??= this.#toFrames(addresses, frames)),
    });
  }

  get #userAddresses(): readonly bigint[] | undefined {
    return readStackAddresses(recordChunk(this), recordStart(this), EventHook.userStack);
  }

  #toFrames(addresses: readonly bigint[], frames: ReadonlyMap<bigint, ResolvedFrame>): readonly StackFrame[] {
    return toUserFrames(addresses, frames, this.#hook.stackAddresses === true);
  }

  static {
    getHook = (event) => event.#hook;
    getRareMembers = (event) => (event.#rare ??= createRareMembers(NO_OUTCOMES));
  }

  get policyName(): string {
    return this.#hook.policyName;
  }

  get args(): readonly HookArgument[] {
    this.#args ??= decodeValues(this, this.#hook.compiled.args, 0);
    return this.#args;
  }

  get action(): PerformedAction['action'] {
    return this.#hook.compiled.actions === undefined
      ? 'post'
      : mainAction(this.actions.filter(({ onReturn }) => onReturn !== true));
  }

  get actions(): readonly PerformedAction[] {
    return this.#hook.compiled.actions === undefined
      ? POST
      : performedActions(
          recordChunk(this),
          recordStart(this),
          this.#selectorActions,
          this.#rare?.outcomes ?? NO_OUTCOMES,
        );
  }

  get policyMode(): 'enforce' | 'monitor' | undefined {
    return this.#hook.compiled.actions === undefined
      ? undefined
      : readPolicyMode(
          recordChunk(this),
          recordStart(this),
          this.#selectorActions,
          this.#rare?.outcomes ?? NO_OUTCOMES,
        );
  }

  get #selectorActions(): EventActions | undefined {
    return readEventActions(recordChunk(this), recordStart(this), this.#hook.compiled, this.selector);
  }

  get ofSocketOwner(): boolean {
    return (recordChunk(this).u16(recordStart(this) + EventHeader.flags) & EventFlag.EVENT_SOCKET_OWNER) !== 0;
  }

  get suppressed(): number {
    return recordChunk(this).u32(recordStart(this) + EventHook.suppressed);
  }

  get kernelStack(): readonly StackFrame[] | undefined {
    const addresses = readStackAddresses(recordChunk(this), recordStart(this), EventHook.kernelStack);
    return addresses && resolveKernelFrames(addresses, this.#hook.stackAddresses === true);
  }

  /** If the process has ended or has not answered in time, only addresses are known. */
  get userStack(): readonly StackFrame[] | undefined {
    const addresses = this.#userAddresses;
    return addresses && (getRareMembers(this).userStack ??= this.#toFrames(addresses, NO_FRAMES));
  }

  get marks(): readonly MarkCause[] | undefined {
    const { compiled } = this.#hook;
    if (compiled.markTests === undefined) return undefined;
    return readMarks(recordChunk(this), recordStart(this), compiled, getTrackedProcess(this.process) as TrackedProcess);
  }

  get message(): string | undefined {
    return this.#hook.compiled.message;
  }

  get tags(): readonly string[] {
    return this.#hook.compiled.tags;
  }

  get selector(): number {
    return readSelector(recordChunk(this), recordStart(this));
  }
}

/** Returns the loaded hook of an event; undefined if no hook caused the event. */
export function findLoadedHook(event: object): LoadedHook | undefined {
  return event instanceof HookEvent ? getHook(event) : undefined;
}

/** The first slots are those of args. The slots of data and of the return value follow. */
function decodeValues(event: HookEvent, values: readonly CompiledValue[], firstSlot: number): HookArgument[] {
  const [chunk, start] = [recordChunk(event), recordStart(event)];
  const size = chunk.u32(start + EventHeader.size);
  const args: HookArgument[] = [];
  let slot = firstSlot;
  for (const value of values) {
    const argument = decodeArgument(chunk, start, size, slot++, value);
    if (argument !== undefined) args.push(argument);
  }
  return args;
}

export function readSelector(chunk: RecordChunk, start: number): number {
  const low = chunk.u32(start + EventHook.matched);
  return low !== 0 ? 31 - Math.clz32(low) : 63 - Math.clz32(chunk.u32(start + EventHook.matched + 4));
}

function getCompiledHook(event: HookEvent): CompiledHook {
  return getHook(event).compiled;
}

/** Returns the index of the function or attach point that was reached, if several share the hook's program. */
function readAttachPoint(event: HookEvent): number {
  return recordChunk(event).u16(recordStart(event) + EventHook.attachPoint);
}

/** An event of a function. It can have values that are not parameters, and a return value. */
abstract class FunctionEvent extends HookEvent {
  get data(): readonly HookArgument[] {
    const { args, data } = getCompiledHook(this);
    return data.length === 0 ? NO_VALUES : (getRareMembers(this).data ??= decodeValues(this, data, args.length));
  }

  get return(): HookArgument | undefined {
    const { args, data, returnArg } = getCompiledHook(this);
    return returnArg === undefined ? undefined : decodeValues(this, [returnArg], args.length + data.length)[0];
  }

  get returnAction(): PerformedAction['action'] | undefined {
    const { returnArg, returnedSocket } = getCompiledHook(this);
    if (returnArg === undefined) return undefined;
    const main = mainAction(this.actions.filter(({ onReturn }) => onReturn === true));
    return main === 'post' ? (returnedSocket ?? main) : main;
  }
}

const NO_VALUES: readonly HookArgument[] = Object.freeze([]);

export class KprobeEvent extends FunctionEvent {
  get type(): 'process_kprobe' {
    return 'process_kprobe';
  }

  get functionName(): string {
    const { functions, functionName } = getHook(this);
    return functions === undefined ? functionName : (functions[readAttachPoint(this)] ?? functionName);
  }
}

export class TracepointEvent extends HookEvent {
  get type(): 'process_tracepoint' {
    return 'process_tracepoint';
  }

  get subsystem(): string {
    return getCompiledHook(this).tracepoint?.subsystem ?? '';
  }

  get event(): string {
    return getCompiledHook(this).tracepoint?.event ?? '';
  }
}

export class LsmEvent extends HookEvent {
  get type(): 'process_lsm' {
    return 'process_lsm';
  }

  get functionName(): string {
    return getHook(this).functionName;
  }

  get imaHash(): string | undefined {
    return readImaHash(recordChunk(this), recordStart(this));
  }
}

export class UprobeEvent extends FunctionEvent {
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

  get #program(): UprobeAttachPoint {
    const { places, program } = getCompiledHook(this);
    return places?.[readAttachPoint(this)] ?? program ?? NO_PROGRAM;
  }
}

/** The program of hooks of other kinds. */
const NO_PROGRAM: UprobeAttachPoint = { path: '' };

export class UsdtEvent extends HookEvent {
  get type(): 'process_usdt' {
    return 'process_usdt';
  }

  get path(): string {
    return getCompiledHook(this).usdt?.path ?? '';
  }

  get provider(): string {
    return getCompiledHook(this).usdt?.provider ?? '';
  }

  get name(): string {
    return getCompiledHook(this).usdt?.name ?? '';
  }
}
