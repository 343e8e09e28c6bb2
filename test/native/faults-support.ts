/** Injects faults into processes that trace: see programs/faults.cc. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { script } from './support.js';
import { NIGHTLY } from '../nightly.js';

/** The interface of programs/faults.cjs. */
interface Faults {
  record(kinds: number): void;
  stopAt(site: bigint): void;
  stopAtEach(kinds: number): void;
  off(): void;
  readonly sites: readonly bigint[];
  readonly hits: number;
}

export const FAULTS_MODULE = join(__dirname, 'programs', 'faults.cjs');
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { Faults, MAPPING, THREAD, KERNEL } = require('./programs/faults.cjs') as {
  readonly Faults: { new (file: string): Faults; create(file: string): void };
  readonly MAPPING: number;
  readonly THREAD: number;
  readonly KERNEL: number;
};

/** Every call with which the process asks the kernel for something. */
export const STEPS = MAPPING | THREAD | KERNEL;

/**
 * Every site takes minutes, and the machine of each commit has seconds: there, every `usual`th is tried, and
 * `npm run test:nightly` tries all.
 */
export function stride(usual: number): number {
  return NIGHTLY ? 1 : usual;
}

/** A folder with the library that injects faults, and the file that controls it. */
export class FaultShop {
  readonly folder = mkdtempSync(join(tmpdir(), 'polytrace-faults-'));
  readonly program = join(this.folder, 'numbered');
  readonly faults: Faults;
  /** The environment of a process that the library is preloaded into. */
  readonly env: NodeJS.ProcessEnv;

  constructor() {
    const library = join(this.folder, 'faults.so');
    const control = join(this.folder, 'control');
    const options = ['-std=c++20', '-O1', '-g', '-fPIC', '-shared', '-fno-threadsafe-statics', '-Wall', '-Werror'];
    execFileSync('c++', [...options, '-o', library, join(__dirname, 'programs', 'faults.cc')]);
    execFileSync('cc', ['-O1', '-o', this.program, join(__dirname, 'programs', 'numbered.c')]);
    Faults.create(control);
    this.faults = new Faults(control);
    // the sanitizers' library need not be the first: this one passes every call on to it
    const asan = ['verify_asan_link_order=0', process.env['ASAN_OPTIONS']].filter(Boolean).join(':');
    this.env = {
      ...process.env,
      ASAN_OPTIONS: asan,
      LD_PRELOAD: [library, process.env['LD_PRELOAD']].filter(Boolean).join(':'),
      FAULTS_FILE: control,
    };
  }

  /** A process that runs a script, see script(). */
  start(body: string): ChildProcess {
    return spawn(process.execPath, ['-e', script(body)], { stdio: ['ignore', 'pipe', 'inherit'], env: this.env });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** True if the process was stopped by a signal. */
export function isStopped(pid: number): boolean {
  return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
