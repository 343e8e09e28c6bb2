/**
 * Searches in child processes, so that an input that hangs, crashes or fills the memory is found as well. Such an input
 * is made smaller and written to a file.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job, Result } from './child.js';
import { HEAP_MB } from './target.js';

const ROOT = join(__dirname, '../..');
/** The folder for inputs that were found. */
const FOUND = join(ROOT, 'build/fuzz');

/** A process that checks one input for so long is killed. It has more time to start, and on a busy machine. */
const HANG_MS = 15_000;
const START_MS = 120_000;
const BUSY_FACTOR = 10;
/** Processor time of one input that is a hang, too. */
const HANG_CPU_MS = 5000;
const LOOK_MS = 250;
/** Time to make an input that was found small. */
const SHRINK_MS = 20_000;

export interface Found {
  readonly message: string;
  readonly file: string;
  readonly seed?: number;
}

export interface Outcome {
  readonly inputs: number;
  readonly found?: Found;
}

/** Checks files, such as those that were found once. */
export async function checkFiles(target: Job['target'], files: readonly string[]): Promise<Outcome> {
  const { result, inputs, ending } = await runChild({ target, files });
  const failure =
    result?.failure ?? (ending === undefined ? undefined : { message: ending, file: files[Math.max(inputs - 1, 0)] });
  return failure === undefined ? { inputs } : { inputs, found: { message: failure.message, file: failure.file ?? '' } };
}

/** `files` are inputs to begin with. */
export async function search(
  target: Job['target'],
  seed: number,
  ms: number,
  files: readonly string[],
): Promise<Outcome> {
  const { result, inputs, ending } = await runChild({ target, seed, ms, files });
  if (result !== undefined && result.failure === undefined) return { inputs };
  // the number of the input is a path of fast-check
  const path = result?.failure?.path ?? String(Math.max(inputs - 1, 0));
  mkdirSync(FOUND, { recursive: true });
  const file = join(FOUND, `${target}-${seed >>> 0}`);
  const again = await runChild({ target, seed, ms: SHRINK_MS, path, lastInput: file, files });
  const first = result?.failure?.message ?? ending ?? 'unknown';
  const repeated = again.result?.failure?.message ?? again.ending;
  const message = repeated ?? `found once, and not again: ${first}`;
  return { inputs, found: { message, seed, file } };
}

interface ChildOutcome {
  /** Absent if the process did not end by itself. */
  readonly result?: Result;
  readonly inputs: number;
  /** The reason why there is no result. */
  readonly ending?: string;
}

async function runChild(job: Omit<Job, 'progress'>): Promise<ChildOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-search-'));
  const progress = join(folder, 'progress');
  const nodeArgs = [`--max-old-space-size=${HEAP_MB}`, '--require', 'tsx/cjs', join(__dirname, 'child.ts')];
  const child = spawn(process.execPath, [...nodeArgs, JSON.stringify({ ...job, progress })], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = [child.stdout, child.stderr].map((stream) => readStream(stream));
  let hangs = false;
  const sampleProgress = (): { inputs: number; at: number; cpu: number } => {
    return { inputs: readProgress(progress), at: performance.now(), cpu: readCpuTime(child.pid) };
  };
  let last = sampleProgress();
  const timer = setInterval(() => {
    const now = sampleProgress();
    if (now.inputs !== last.inputs) last = now;
    else if (isHang(now.inputs, now.at - last.at, now.cpu - last.cpu)) hangs = child.kill('SIGKILL');
  }, LOOK_MS);
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
    const [output = '', errors = ''] = await Promise.all(texts);
    const inputs = readProgress(progress);
    if (status === 0) return { result: JSON.parse(output) as Result, inputs };
    const why = hangs ? `it takes more than ${HANG_MS} ms` : `the process ended with ${signal ?? `status ${status}`}`;
    return { inputs, ending: `${why}\n${errors.slice(-3000)}` };
  } finally {
    clearInterval(timer);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `ms` and `cpu` are times since the input before. A process that waits for a processor does not hang. */
function isHang(inputs: number, ms: number, cpu: number): boolean {
  const limit = inputs === 0 ? START_MS : HANG_MS;
  return ms > limit * BUSY_FACTOR || (ms > limit && (Number.isNaN(cpu) || cpu > HANG_CPU_MS));
}

/** Processor time of a process in milliseconds; NaN if it cannot be read. */
function readCpuTime(pid = 0): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return NaN;
  }
}

async function readStream(stream: NodeJS.ReadableStream): Promise<string> {
  const parts: string[] = [];
  for await (const part of stream) parts.push(String(part));
  return parts.join('');
}

/** The number of inputs that the process has begun. */
function readProgress(progress: string): number {
  if (!existsSync(progress)) return 0;
  const bytes = Buffer.alloc(8);
  const fd = openSync(progress, 'r');
  try {
    return readSync(fd, bytes, 0, 8, 0) === 8 ? bytes.readDoubleLE() + 1 : 0;
  } finally {
    closeSync(fd);
  }
}
