/** Bounds the bytes of requests that wait for their answer, so that many large ones cannot use up the memory. */
import { status as Code } from '@grpc/grpc-js';
import { CallError } from './call-error.js';

/** A request can wait long, because policies are loaded one after the other. A policy has at most 1 MiB. */
const BYTES_MAX = 16 * 1024 * 1024;

export class RequestBudget {
  #bytes = 0;

  /** Runs the task while the bytes are counted. Throws CallError when there are too many already. */
  async run<T>(bytes: number, task: () => Promise<T>): Promise<T> {
    if (this.#bytes + bytes > BYTES_MAX) {
      const message = `requests of more than ${BYTES_MAX / 1024 / 1024} MiB wait for their answer: try again later`;
      throw new CallError(Code.RESOURCE_EXHAUSTED, message);
    }
    this.#bytes += bytes;
    try {
      return await task();
    } finally {
      this.#bytes -= bytes;
    }
  }
}
