/** Collects the lines of events and records: see lib/lines/line-writer.ts. */
import type { TracerEvent } from '../../types/events.js';
import type { LoadedHook } from '../events/hook.js';
import type { TrackedProcess } from '../process/process.js';
import type { RecordChunk } from '../wire/record-chunk.js';

export interface LineSink {
  start(): void;
  /** About the number of bytes since the start. */
  readonly size: number;
  /** Adds the line of a hook's record. Returns false if it needs an event. */
  addRecord(hook: LoadedHook, process: TrackedProcess, chunk: RecordChunk, at: number): boolean;
  addEvents(events: readonly TracerEvent[]): void;
  /** Must be called before the bytes of records are overwritten. */
  flush(): void;
  /** Returns the bytes of the lines, which the next start() overwrites. */
  finish(): Uint8Array;
}
