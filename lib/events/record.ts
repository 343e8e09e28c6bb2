/** An event that is read from a kernel record. It decodes a member when a program reads the member. */
import { inspect } from 'node:util';
import type { EventType, Process } from '../../types/events.js';
import { formatTime } from '../process/clock.js';
import { copyMembers, toJsonValue } from '../process/plain-data.js';
import { getTrackedProcess, type ProcessView } from '../process/view.js';
import { EventExit, EventHeader } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { MEMBERS } from './members.js';

/** Returns the chunk that contains the event's record. It is not a member, because programs would see it. */
export let recordChunk: (event: RecordEvent) => RecordChunk;
/** Returns the offset of the event's record in its chunk. */
export let recordStart: (event: RecordEvent) => number;

/**
 * structuredClone() and postMessage() throw for an event, because its process has a function as a property: see
 * ProcessView.
 */
export abstract class RecordEvent {
  readonly #chunk: RecordChunk;
  readonly #start: number;

  constructor(
    chunk: RecordChunk,
    start: number,
    readonly process: ProcessView,
  ) {
    this.#chunk = chunk;
    this.#start = start;
  }

  static {
    recordChunk = (event) => event.#chunk;
    recordStart = (event) => event.#start;
  }

  get timeNs(): bigint {
    return getTrackedProcess(this.process).context.clock.toEpoch(this.#chunk.u64(this.#start + EventHeader.time));
  }

  get time(): string {
    return formatTime(this.timeNs);
  }

  get nodeName(): string {
    return getTrackedProcess(this.process).context.nodeName;
  }

  /** In every record, the key follows the header. */
  get tid(): number {
    return this.#chunk.u32(this.#start + EventExit.keyTid);
  }

  get parent(): Process | undefined {
    return getTrackedProcess(this.process).parentProcess?.view;
  }

  get former(): Process | undefined {
    return getTrackedProcess(this.process).formerProcess?.view;
  }

  get ancestors(): readonly Process[] {
    return getTrackedProcess(this.process).ancestors;
  }

  abstract get type(): Exclude<EventType, 'change' | 'lost'>;

  toObject(): never {
    return copyMembers(this, MEMBERS[this.type]) as never;
  }

  toJSON(): never {
    return toJsonValue(this.toObject()) as never;
  }

  /** Omits the ancestors, which would fill the terminal. */
  [inspect.custom](): Record<string, unknown> {
    return copyMembers(
      this,
      MEMBERS[this.type].filter((name) => name !== 'ancestors'),
    );
  }
}
