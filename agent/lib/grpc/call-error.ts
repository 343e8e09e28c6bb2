/** An error that is the answer of a call. */
import { Metadata, type status as Code } from '@grpc/grpc-js';

export class CallError extends Error {
  readonly code: Code;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(code: Code, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}
