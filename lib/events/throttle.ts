/** The event of a cgroup whose exec and exit records are not reported, because it is above its rate. */
import type { ProcessView } from '../process/view.js';
import { EventThrottle } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { RecordEvent, recordChunk, recordStart } from './record.js';

export class ThrottleEvent extends RecordEvent {
  readonly #stopNs: bigint | undefined;

  /** The kernel writes a record only for the start. `stopNs` makes the event of the stop: nanoseconds since 1970. */
  constructor(chunk: RecordChunk, start: number, process: ProcessView, stopNs?: bigint) {
    super(chunk, start, process);
    this.#stopNs = stopNs;
  }

  get type(): 'process_throttle' {
    return 'process_throttle';
  }

  override get timeNs(): bigint {
    return this.#stopNs ?? super.timeNs;
  }

  get throttle(): 'start' | 'stop' {
    return this.#stopNs === undefined ? 'start' : 'stop';
  }

  get cgroup(): string {
    const chunk = recordChunk(this);
    const at = recordStart(this);
    const length = Math.min(chunk.u16(at + EventThrottle.nameLength), EventThrottle.sizeof - EventThrottle.nameBytes);
    return chunk.readString(at + EventThrottle.nameBytes, length);
  }

  get cgroupId(): bigint {
    return recordChunk(this).u64(recordStart(this) + EventThrottle.cgroupId);
  }
}

/** Makes the event of the stop from that of the start. It is no method, because programs would see it. */
export function stopThrottle(start: ThrottleEvent, stopNs: bigint): ThrottleEvent {
  return new ThrottleEvent(recordChunk(start), recordStart(start), start.process, stopNs);
}
