/** Copies of records that live longer than their batch. A buffer for each of them would cost more than the copy. */
import { RecordBuffer, type RecordChunk } from './record-chunk.js';

/** A chunk that is kept retains so many bytes at most. */
const SLAB_BYTES = 8 * 1024;
/** A longer record gets a buffer of its own. */
const SHARED_BYTES_MAX = 1024;

export class RecordSlab {
  #buffer: RecordBuffer | undefined;
  #used = 0;

  copy(chunk: RecordChunk, start: number, size: number): RecordChunk {
    if (size > SHARED_BYTES_MAX) return chunk.copyRecord(start, size);
    if (this.#buffer === undefined || this.#used + size > SLAB_BYTES) {
      this.#buffer = new RecordBuffer(Buffer.allocUnsafeSlow(SLAB_BYTES));
      this.#used = 0;
    }
    const offset = this.#used;
    this.#used += (size + 7) & ~7;
    return chunk.copyRecordTo(this.#buffer, offset, start, size);
  }
}
