/** An event that is read from a record of the kernel. It decodes a member when a program reads it. */
import { inspect } from 'node:util';
import type { EventType, Process } from '../../types/events.js';
import { formatTime } from '../process/clock.js';
import { copyOf, jsonOf } from '../process/plain.js';
import { imageOf, type ProcessView } from '../process/view.js';
import { EventExit, EventHeader } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';
import { MEMBERS } from './members.js';

/** The event's record is in this slab. These are no members, because programs would see those. */
export let slabOf: (event: RecordEvent) => Slab;
/** Where the event's record begins. */
export let startOf: (event: RecordEvent) => number;

/** structuredClone() and postMessage() refuse the process, see there. */
export abstract class RecordEvent {
  readonly #slab: Slab;
  readonly #start: number;

  constructor(
    slab: Slab,
    start: number,
    readonly process: ProcessView,
  ) {
    this.#slab = slab;
    this.#start = start;
  }

  static {
    slabOf = (event) => event.#slab;
    startOf = (event) => event.#start;
  }

  get timeNs(): bigint {
    return imageOf(this.process).context.clock.toEpoch(this.#slab.u64(this.#start + EventHeader.time));
  }

  get time(): string {
    return formatTime(this.timeNs);
  }

  get nodeName(): string {
    return imageOf(this.process).context.nodeName;
  }

  /** In every record the key follows the header. */
  get tid(): number {
    return this.#slab.u32(this.#start + EventExit.keyTid);
  }

  get parent(): Process | undefined {
    return imageOf(this.process).parentImage?.view;
  }

  get former(): Process | undefined {
    return imageOf(this.process).formerImage?.view;
  }

  get ancestors(): readonly Process[] {
    return imageOf(this.process).ancestors;
  }

  abstract get type(): Exclude<EventType, 'lost'>;

  toObject(): never {
    return copyOf(this, MEMBERS[this.type]) as never;
  }

  toJSON(): never {
    return jsonOf(this.toObject()) as never;
  }

  /** Without the ancestors, which would fill the terminal. */
  [inspect.custom](): Record<string, unknown> {
    return copyOf(
      this,
      MEMBERS[this.type].filter((name) => name !== 'ancestors'),
    );
  }
}
