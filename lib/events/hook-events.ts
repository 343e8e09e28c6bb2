/** The events of a policy's hooks. */
import type { HookArgument, PerformedAction, RequestOutcome, StackFrame } from '../../types/events.js';
import type { CompiledHook, ProgramPlace, CompiledValue } from '../compiled/compiled-policy.js';
import { imageOf, type ProcessView } from '../process/view.js';
import { decodeArgument } from '../wire/decode/arguments.js';
import { EventFlag, EventHeader, EventHook } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';
import type { LoadedHook } from './hook.js';
import { imaHashOf } from './ima.js';
import { actionsOf, mainAction, performedActions, policyModeOf, POST, type EventActions } from './performed.js';
import { RecordEvent, slabOf, startOf } from './record.js';
import { addressesOf, kernelFrames, userFrames } from './stacks.js';

let hookOf: (event: HookEvent) => LoadedHook;
let rareOf: (event: HookEvent) => Rare;

/** Members that few events have, or that few programs read. An event has this object only when it is needed: that saves memory. */
interface Rare {
  readonly outcomes: readonly RequestOutcome[];
  data: readonly HookArgument[] | undefined;
  userStack: readonly StackFrame[] | undefined;
}

function newRare(outcomes: readonly RequestOutcome[]): Rare {
  return { outcomes, data: undefined, userStack: undefined };
}

const NO_OUTCOMES: readonly RequestOutcome[] = [];

/** The members that the events of all kinds of hooks have. */
abstract class HookEvent extends RecordEvent {
  readonly #hook: LoadedHook;
  #args: readonly HookArgument[] | undefined;
  #rare: Rare | undefined;

  constructor(slab: Slab, start: number, process: ProcessView, hook: LoadedHook, outcomes: readonly RequestOutcome[]) {
    super(slab, start, process);
    this.#hook = hook;
    if (outcomes.length > 0) this.#rare = newRare(outcomes);
  }

  static {
    hookOf = (event) => event.#hook;
    rareOf = (event) => (event.#rare ??= newRare(NO_OUTCOMES));
  }

  get policyName(): string {
    return this.#hook.policyName;
  }

  get args(): readonly HookArgument[] {
    this.#args ??= decodeValues(this, this.#hook.image.args, 0);
    return this.#args;
  }

  get action(): PerformedAction['action'] {
    return this.#hook.image.actions === undefined
      ? 'post'
      : mainAction(this.actions.filter(({ onReturn }) => onReturn !== true));
  }

  get actions(): readonly PerformedAction[] {
    return this.#hook.image.actions === undefined
      ? POST
      : performedActions(slabOf(this), startOf(this), this.#selectorActions, this.#rare?.outcomes ?? NO_OUTCOMES);
  }

  get policyMode(): 'enforce' | 'monitor' | undefined {
    return this.#hook.image.actions === undefined
      ? undefined
      : policyModeOf(slabOf(this), startOf(this), this.#selectorActions, this.#rare?.outcomes ?? NO_OUTCOMES);
  }

  get #selectorActions(): EventActions | undefined {
    return actionsOf(slabOf(this), startOf(this), this.#hook.image, this.selector);
  }

  get ofSocketOwner(): boolean {
    return (slabOf(this).u16(startOf(this) + EventHeader.flags) & EventFlag.EVENT_OF_OWNER) !== 0;
  }

  get suppressed(): number {
    return slabOf(this).u32(startOf(this) + EventHook.suppressed);
  }

  get kernelStack(): readonly StackFrame[] | undefined {
    const addresses = addressesOf(slabOf(this), startOf(this), EventHook.kernelStack);
    return addresses && kernelFrames(addresses, this.#hook.stackAddresses === true);
  }

  /**
   * The files of the process are read on first access. If the process has ended by then, only addresses are known. In the
   * event of a socket owner, the addresses belong to the process that was running.
   */
  get userStack(): readonly StackFrame[] | undefined {
    const addresses = addressesOf(slabOf(this), startOf(this), EventHook.userStack);
    if (addresses === undefined) return undefined;
    const pid = this.ofSocketOwner ? undefined : imageOf(this.process).pid;
    return (rareOf(this).userStack ??= userFrames(addresses, pid, this.#hook.stackAddresses === true));
  }

  get message(): string | undefined {
    return this.#hook.image.message;
  }

  get tags(): readonly string[] {
    return this.#hook.image.tags;
  }

  get selector(): number {
    return selectorOf(slabOf(this), startOf(this));
  }
}

/** The loaded hook of an event; undefined for one that is no event of a hook. */
export function loadedHookOf(event: object): LoadedHook | undefined {
  return event instanceof HookEvent ? hookOf(event) : undefined;
}

/** The slots are those of args, then data, then the return value. */
function decodeValues(event: HookEvent, values: readonly CompiledValue[], firstSlot: number): HookArgument[] {
  const [slab, start] = [slabOf(event), startOf(event)];
  const size = slab.u32(start + EventHeader.size);
  const args: HookArgument[] = [];
  let slot = firstSlot;
  for (const value of values) {
    const argument = decodeArgument(slab, start, size, slot++, value);
    if (argument !== undefined) args.push(argument);
  }
  return args;
}

export function selectorOf(slab: Slab, start: number): number {
  const low = slab.u32(start + EventHook.matched);
  return low !== 0 ? 31 - Math.clz32(low) : 63 - Math.clz32(slab.u32(start + EventHook.matched + 4));
}

function imageOfHook(event: HookEvent): CompiledHook {
  return hookOf(event).image;
}

/** Index of the function or place that was hit, if several share the hook's program. */
function placeOf(event: HookEvent): number {
  return slabOf(event).u16(startOf(event) + EventHook.place);
}

/** An event of a function. It may have values that are not parameters, and a return value. */
abstract class FunctionEvent extends HookEvent {
  get data(): readonly HookArgument[] {
    const { args, data } = imageOfHook(this);
    return data.length === 0 ? NOTHING : (rareOf(this).data ??= decodeValues(this, data, args.length));
  }

  get return(): HookArgument | undefined {
    const { args, data, returnArg } = imageOfHook(this);
    return returnArg === undefined ? undefined : decodeValues(this, [returnArg], args.length + data.length)[0];
  }

  get returnAction(): PerformedAction['action'] | undefined {
    const { returnArg, returnedSocket } = imageOfHook(this);
    if (returnArg === undefined) return undefined;
    const main = mainAction(this.actions.filter(({ onReturn }) => onReturn === true));
    return main === 'post' ? (returnedSocket ?? main) : main;
  }
}

const NOTHING: readonly HookArgument[] = Object.freeze([]);

export class KprobeEvent extends FunctionEvent {
  get type(): 'process_kprobe' {
    return 'process_kprobe';
  }

  get functionName(): string {
    const { functions, functionName } = hookOf(this);
    return functions === undefined ? functionName : (functions[placeOf(this)] ?? functionName);
  }
}

export class TracepointEvent extends HookEvent {
  get type(): 'process_tracepoint' {
    return 'process_tracepoint';
  }

  get subsystem(): string {
    return imageOfHook(this).tracepoint?.subsystem ?? '';
  }

  get event(): string {
    return imageOfHook(this).tracepoint?.event ?? '';
  }
}

export class LsmEvent extends HookEvent {
  get type(): 'process_lsm' {
    return 'process_lsm';
  }

  get functionName(): string {
    return hookOf(this).functionName;
  }

  get imaHash(): string | undefined {
    return imaHashOf(slabOf(this), startOf(this));
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

  get #program(): ProgramPlace {
    const { places, program } = imageOfHook(this);
    return places?.[placeOf(this)] ?? program ?? NO_PLACE;
  }
}

/** The place for hooks of other kinds. */
const NO_PLACE: ProgramPlace = { path: '' };

export class UsdtEvent extends HookEvent {
  get type(): 'process_usdt' {
    return 'process_usdt';
  }

  get path(): string {
    return imageOfHook(this).usdt?.path ?? '';
  }

  get provider(): string {
    return imageOfHook(this).usdt?.provider ?? '';
  }

  get name(): string {
    return imageOfHook(this).usdt?.name ?? '';
  }
}
