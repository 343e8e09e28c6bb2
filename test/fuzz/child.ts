/**
 * A process that searches one target, for test/fuzz/search.ts. Its argument is a job as JSON. Before each input it
 * writes the number of the input into a file, so that an input that hangs or crashes the process is known.
 */
import { openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { Script } from 'node:vm';
import fc from 'fast-check';
import { btf } from './btf.js';
import { elf } from './elf.js';
import { changedFiles } from './mutations.js';
import { policies } from './policies.js';
import { records } from './records.js';
import { checkInTime, type Target } from './target.js';

export interface Job {
  readonly target: 'btf' | 'elf' | 'policies' | 'records';
  /** The number of the current input is written here: 8 bytes. */
  readonly progress: string;
  /** Files to check, or to begin a search with. */
  readonly files: readonly string[];
  readonly seed?: number;
  /** Time for the search. */
  readonly ms?: number;
  /** The position where the search begins: fast-check calls it a path. */
  readonly path?: string;
  /** Each input is written here before it is checked, and a check that hangs is ended. This takes more time. */
  readonly lastInput?: string;
}

export interface Result {
  readonly inputs: number;
  readonly failure?: { readonly message: string; readonly path?: string; readonly file?: string };
}

/** Time limit of a check in a search with `lastInput`. */
const HANG_MS = 5000;
/** A check that had less processor time than this is tried again: the machine was busy. */
const BUSY_MS = 2000;
const TRIES = 10;

const TIMEOUT_MESSAGE = 'Script execution timed out';

const TARGETS: Readonly<Record<Job['target'], Target>> = { btf, elf, policies, records };

function runWithTimeout(run: () => void): void {
  const holder = globalThis as { runCheck?: () => void };
  holder.runCheck = run;
  for (let left = TRIES; ; left--) {
    const begin = process.cpuUsage();
    try {
      new Script('runCheck()').runInThisContext({ timeout: HANG_MS });
      return;
    } catch (error) {
      if (!String(error).includes(TIMEOUT_MESSAGE)) throw error;
      const { user, system } = process.cpuUsage(begin);
      if (left === 0 || (user + system) / 1000 > BUSY_MS) throw new Error(`it takes more than ${HANG_MS} ms`);
    }
  }
}

function work(job: Job): Result {
  const target = TARGETS[job.target];
  const progress = openSync(job.progress, 'w');
  const number = Buffer.alloc(8);
  let begun = 0;
  const attempt = (input: Buffer): void => {
    number.writeDoubleLE(begun++);
    writeSync(progress, number, 0, 8, 0);
    if (job.lastInput === undefined) return checkInTime(target, input);
    writeFileSync(job.lastInput, input);
    runWithTimeout(() => checkInTime(target, input));
  };
  if (job.seed === undefined) {
    for (const file of job.files) {
      try {
        attempt(readFileSync(file));
      } catch (error) {
        return { inputs: begun, failure: { message: errorMessage(error), file } };
      }
    }
    return { inputs: begun };
  }
  const { seed, ms = 0, path, files } = job;
  const changed = files.length === 0 ? target.inputs : changedFiles(files.map((file) => readFileSync(file)));
  const inputs = fc.oneof({ weight: 9, arbitrary: target.inputs }, changed);
  const found = fc.check(fc.property(inputs, attempt), {
    seed,
    numRuns: 2 ** 31 - 1,
    interruptAfterTimeLimit: ms,
    ...(path === undefined ? {} : { path }),
  });
  if (!found.failed || found.counterexample === null) return { inputs: begun };
  if (job.lastInput !== undefined) writeFileSync(job.lastInput, found.counterexample[0]);
  return {
    inputs: begun,
    failure: { message: errorMessage(found.errorInstance), path: found.counterexamplePath ?? '' },
  };
}

function errorMessage(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

process.stdout.write(JSON.stringify(work(JSON.parse(process.argv[2] ?? '{}') as Job)));
