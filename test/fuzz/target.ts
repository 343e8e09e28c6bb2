/** A fuzz target: a generator of inputs, and a check of the code that reads them. */
import type fc from 'fast-check';

export interface Target {
  /** Files for this target are named after it. */
  readonly name: string;
  readonly extension: string;
  readonly inputs: fc.Arbitrary<Buffer>;
  /** Throws if the code does something with this input that it must never do. */
  check(input: Buffer): void;
}

/** Maximum processor time for one input. Inputs have at most some hundred KiB, and most need less than a millisecond. */
const TIME_MS = 500;
/** The heap of a process that searches. More is a crash. */
export const HEAP_MB = 512;

/** Checks an input, and that the check takes a limited time. */
export function checkInTime(target: Target, input: Buffer): void {
  let minimum = Infinity;
  // the garbage of earlier inputs can make one check slow, but not several
  for (let again = 0; again < 3; again++) {
    const begin = process.cpuUsage();
    target.check(input);
    const { user, system } = process.cpuUsage(begin);
    minimum = Math.min(minimum, (user + system) / 1000);
    if (minimum < TIME_MS) return;
  }
  throw new Error(`it takes ${minimum.toFixed(0)} ms of processor time; at most ${TIME_MS} ms are allowed`);
}
