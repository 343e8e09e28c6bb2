/**
 * The marks of all loaded policies. Each has a slot in the kernel and an id, whose lower bits are the slot. When a mark
 * ends with its policy, its slot gets another id, so what processes still have of it is not valid any more. Two versions
 * of a policy have the same marks, and so have two tracers, one after the other, with the same pins.
 */
import { objectName } from '../native/features.js';
import type { NativeSession } from '../native/binding.js';
import type { AttachContext } from '../attach/request.js';
import { KernelError } from '../errors.js';
import { kernelDetail, messageWithReason, type NativeError } from '../native/native-error.js';
import type { CompiledMark, CompiledPolicy } from '../compiled/compiled-policy.js';
import { AbiLimit, MarkName } from '../wire/layout.gen.js';

interface Slot {
  id: number;
  /** Undefined for a slot that no mark has. */
  identity: string | undefined;
  users: number;
}

/** Capacities if the kernel cannot allocate entries on demand: an unused entry then costs as much as a used one. */
const PREALLOCATED = 4096;

type MarkSession = Pick<NativeSession, 'loadMarks' | 'nameMark'>;
type Context = Pick<AttachContext, 'binding' | 'features'> & { readonly session: MarkSession };

export function hasContainerMarks({ marks = [] }: CompiledPolicy): boolean {
  return marks.some(({ container }) => container === true);
}

export class Marks {
  readonly #context: Context;
  readonly #earlier: readonly string[];
  #slots: Slot[] | undefined;

  /** `earlier`: the folders of the pins of earlier tracers. */
  constructor(context: Context, earlier: readonly string[]) {
    this.#context = context;
    this.#earlier = earlier;
  }

  /** Returns the id of each mark of a policy. Rejects with KernelError. */
  async acquire(policy: string, marks: readonly CompiledMark[]): Promise<number[]> {
    if (marks.length === 0) return [];
    this.#slots ??= await this.#load();
    const taken: number[] = [];
    try {
      for (const mark of marks) taken.push(await this.#take(this.#slots, identify(policy, mark)));
    } catch (error) {
      await this.release(taken);
      throw toMarkError(error as NativeError);
    }
    return taken;
  }

  /** Must be called when no hook tests or sets these marks any more. Marks without a policy end. */
  async release(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const index = id % AbiLimit.MARKS_MAX;
      const slot = this.#slots?.[index];
      if (slot?.id !== id || --slot.users > 0) continue;
      slot.identity = undefined;
      await this.#assign(index, slot);
    }
  }

  async #load(): Promise<Slot[]> {
    const { session, binding, features } = this.#context;
    const onDemand = binding.kernelHasStruct('bpf_mem_alloc');
    try {
      const bytes = await session.loadMarks({
        object: objectName('marks', features),
        owners: onDemand ? AbiLimit.MARK_OWNERS_MAX : PREALLOCATED,
        details: onDemand ? AbiLimit.MARK_DETAILS_MAX : PREALLOCATED,
        onDemand,
        earlier: this.#earlier,
      });
      return parseSlots(bytes);
    } catch (error) {
      throw toMarkError(error as NativeError);
    }
  }

  async #take(slots: Slot[], identity: string): Promise<number> {
    const known = slots.find((slot) => slot.identity === identity);
    if (known !== undefined) {
      known.users++;
      return known.id;
    }
    let index = slots.findIndex((slot) => slot.identity === undefined);
    // a mark of an earlier tracer whose policy nobody has loaded again
    if (index < 0) index = slots.findIndex(({ users }) => users === 0);
    const slot = slots[index];
    if (slot === undefined) {
      throw new KernelError(
        'LIMIT_MARKS',
        `all policies together have more than ${AbiLimit.MARKS_MAX} marks`,
        'use fewer names, share marks between policies, or load fewer policies',
      );
    }
    slot.identity = identity;
    slot.users = 1;
    await this.#assign(index, slot);
    return slot.id;
  }

  /** Gives the slot an id that nobody has, for its new mark or for none. */
  async #assign(index: number, slot: Slot): Promise<void> {
    slot.id = nextId(slot.id, index);
    await this.#context.session.nameMark(index, encodeSlot(slot));
  }
}

/** Ids are below the bit MARK_WITHOUT_DETAIL. A slot can be used 33 million times. */
function nextId(id: number, index: number): number {
  return id === 0 ? AbiLimit.MARKS_MAX + index : id + AbiLimit.MARKS_MAX;
}

function identify(policy: string, { name, container, shared }: CompiledMark): string {
  return [shared === true ? '' : policy, container === true ? 'container' : 'process', name].join('\n');
}

function parseSlots(bytes: Buffer): Slot[] {
  return Array.from({ length: AbiLimit.MARKS_MAX }, (_, i) => {
    const at = i * MarkName.sizeof;
    const length = bytes.readUInt32LE(at + MarkName.length);
    const name = bytes.toString('utf8', at + MarkName.name, at + MarkName.name + length);
    return { id: bytes.readUInt32LE(at + MarkName.id), identity: length === 0 ? undefined : name, users: 0 };
  });
}

/** The name of a policy and that of a mark always have room. */
function encodeSlot({ id, identity = '' }: Slot): Uint8Array {
  const bytes = Buffer.alloc(MarkName.sizeof);
  bytes.writeUInt32LE(id, MarkName.id);
  bytes.writeUInt32LE(bytes.write(identity, MarkName.name, MarkName.nameLength), MarkName.length);
  return bytes;
}

function toMarkError(error: NativeError | KernelError): Error {
  if (error instanceof KernelError || error.code !== 'MARKS_LOAD') return error;
  return new KernelError(
    'MARKS_LOAD',
    messageWithReason(error),
    'the `log` of this error contains the messages of the kernel',
    kernelDetail(error),
  );
}
