/**
 * Shared by the kernel tests: a tracer with a policy, actions that cause events, and complete lists of those events.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openTracer } from '../../lib/index.js';
import type {
  FileArgument,
  HookArgument,
  ProcessKprobeEvent,
  Tracer,
  TracerEvent,
  TracerOptions,
} from '../../types/index.js';
import { NIGHTLY } from '../nightly.js';

/** Skips the tests if a policy of the corpus is not there; with REQUIRE_ALL=1, fails. */
export function needsFile(context: Mocha.Context, file: string): void {
  if (existsSync(file)) return;
  if (process.env['REQUIRE_ALL'] === '1') throw new Error(`${file} is missing`);
  context.skip();
}

export type Mechanism = 'fentry' | 'kprobe';
export const BOTH_MECHANISMS: readonly Mechanism[] = ['fentry', 'kprobe'];

export const checkout = join(__dirname, '..', '..');
export const kernel = process.env['POLYTRACE_KERNEL'] ?? '';
/** True if tests that do not depend on the kernel run on this one. The nightly run has them on both kernels. */
export const onOneKernel = (only: '6.1' | '6.12'): boolean => kernel === only || (NIGHTLY && kernel.startsWith('6.1'));
/** `describe`, for tests that do not depend on the kernel. */
export function describeOn(only: '6.1' | '6.12', title: string, body: (this: Mocha.Suite) => void): void {
  if (onOneKernel(only)) describe(title, body);
}
/** By day, each kernel has one mechanism. The loader and the negative cache have both. */
export const MECHANISMS: readonly Mechanism[] = NIGHTLY
  ? BOTH_MECHANISMS
  : BOTH_MECHANISMS.filter((attach) => (attach === 'kprobe') === (kernel === '6.1'));
/** Groups need programs that read the kernel's memory directly, and that are not suspended, as on the newest one. */
export const onKernelWithGroups = (): boolean => kernel === '6.12';
export const corpus = process.env['POLYTRACE_CORPUS'] ?? join(checkout, '..', 'shared', 'corpus', 'policies');

/** The path of a program of programs.json, which run-suite.mjs has compiled before the guest started. */
export function programFile(name: string): string {
  return join('/run/vm/programs', name);
}

/** Copies a program of programs.json to a path of the guest, unless it is there. */
export function copyProgram(name: string, path: string): void {
  if (!existsSync(path)) copyFileSync(programFile(name), path);
}

/** A program of many kinds of accesses. */
export const WORKLOAD = '/tmp/workload';

export const prepareWorkload = (): void => copyProgram('workload', WORKLOAD);

export function runWorkload(...args: readonly (string | number)[]): void {
  const result = spawnSync(WORKLOAD, args.map(String), { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`workload ${args.join(' ')}: ${result.stderr}`);
}

/**
 * A tracer whose events are collected from the first one on. Opening a tracer takes seconds in a guest. Therefore, the
 * last closed recording stays open without policies, and the next one with the same options reuses it.
 */
export class Recording {
  static #cached: Recording | undefined;

  readonly events: TracerEvent[] = [];
  readonly #collecting: Promise<void>;
  /** Called with each event. */
  readonly #listeners = new Set<(event: TracerEvent) => void>();
  #marks = 0;

  /** `options` is undefined for a tracer of its own: `close` closes it. */
  constructor(
    readonly tracer: Tracer,
    private readonly options?: string,
  ) {
    this.#collecting = this.#collect();
  }

  static async open(policy: string | { file: string } | undefined, options: TracerOptions = {}): Promise<Recording> {
    const source = typeof policy === 'string' ? { yaml: policy } : policy?.file;
    const policies = source === undefined ? [] : [source];
    const key = JSON.stringify(options);
    if (Recording.#cached?.options !== key) {
      await Recording.closeCached();
      return new Recording(await openTracer({ ...options, policies }), key);
    }
    const recording = Recording.#cached;
    Recording.#cached = undefined;
    try {
      for (const each of policies) await recording.tracer.addPolicy(each);
    } catch (error) {
      await recording.close();
      throw error;
    }
    return recording;
  }

  /** Closes the cached tracer, for tests that count objects of the kernel. */
  static async closeCached(): Promise<void> {
    const cached = Recording.#cached;
    Recording.#cached = undefined;
    await cached?.end();
  }

  async #collect(): Promise<void> {
    for await (const event of this.tracer) {
      this.events.push(event);
      for (const listener of this.#listeners) listener(event);
    }
  }

  /** Resolves when the events of everything before the call are in `events`. The stream keeps its order. */
  async settle(): Promise<void> {
    const mark = `mark-${++this.#marks}`;
    const arrived = this.waitForMore(1, (event) => event.type === 'process_exit' && event.process.argv.at(-1) === mark);
    execFileSync('/bin/true', [mark]);
    await arrived;
  }

  /** Resolves when `count` more events of the wanted kind have come. */
  async waitForMore(count: number, wanted: (event: TracerEvent) => boolean): Promise<void> {
    let left = count;
    await new Promise<void>((resolve) => {
      const listener = (event: TracerEvent): void => {
        if (!wanted(event) || --left !== 0) return;
        this.#listeners.delete(listener);
        resolve();
      };
      this.#listeners.add(listener);
    });
  }

  /** The events that `run` causes, and none from before. */
  async eventsDuring(run: () => void | Promise<void>): Promise<TracerEvent[]> {
    const from = this.events.length;
    await run();
    await this.settle();
    return this.events.slice(from);
  }

  async hooksDuring(run: () => void | Promise<void>): Promise<ProcessKprobeEvent[]> {
    return kprobeEvents(await this.eventsDuring(run));
  }

  /** The path in the first argument of each hook event. */
  async pathsDuring(run: () => void | Promise<void>): Promise<string[]> {
    return (await this.hooksDuring(run)).map((event) => fileArgument(event).path);
  }

  async close(): Promise<void> {
    if (this.options === undefined) return this.end();
    await Recording.closeCached();
    for (const { name } of this.tracer.policies()) await this.tracer.removePolicy(name);
    await this.settle();
    this.events.length = 0;
    this.#listeners.clear();
    Recording.#cached = this;
  }

  private async end(): Promise<void> {
    await this.tracer.close();
    await this.#collecting;
  }
}

/** The number or the string of an argument. */
export function argumentValue(argument: HookArgument | undefined): unknown {
  return argument !== undefined && 'value' in argument ? argument.value : undefined;
}

/** The number of BPF programs in the kernel of the guest, where nothing else loads programs. */
export function countPrograms(): number {
  return (JSON.parse(execFileSync('bpftool', ['prog', 'show', '-j']).toString()) as unknown[]).length;
}

/** Waits until no more programs than these are left. The kernel frees one a moment after its last descriptor was closed. */
export async function waitForPrograms(most: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (let left = countPrograms(); left > most; left = countPrograms()) {
    assert.ok(performance.now() < deadline, `${left} programs are left instead of ${most}`);
    await delay(20);
  }
}

export function kprobeEvents(events: readonly TracerEvent[]): ProcessKprobeEvent[] {
  return events.filter((event): event is ProcessKprobeEvent => event.type === 'process_kprobe');
}

export function fileArgument(event: Pick<ProcessKprobeEvent, 'args'>): FileArgument {
  const arg = event.args[0];
  if (arg === undefined || !('path' in arg)) throw new Error('the first argument is no file');
  return arg;
}

/** A process of the workload that waits for a line before it acts. */
export async function startWaiting(file: string, program = WORKLOAD): Promise<{ go: () => Promise<void> }> {
  const child: ChildProcess = spawn(program, ['wait', file], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return {
    go: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin?.end('go\n');
      await ended;
    },
  };
}

/** A policy with the given hooks. Their fields have the indentation of `call:`. */
export function kprobePolicy(name: string, ...hooks: readonly string[]): string {
  const body = hooks.map((hook) => `  - ${hook.trim().replaceAll('\n', '\n    ')}`).join('\n');
  return `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: ${name}\nspec:\n  kprobes:\n${body}\n`;
}

/** The hook of most tests: reads (mask 4) and writes (2) of files. */
export function fileHook(selectors: string): string {
  return `call: security_file_permission
syscall: false
args:
- index: 0
  type: file
- index: 1
  type: int
selectors:
${selectors.trim()}`;
}

/** A matchArgs selector on the file of `fileHook`. */
export function onPath(operator: string, ...values: readonly string[]): string {
  return `- matchArgs:
  - index: 0
    operator: ${operator}
    values: [${values.map((value) => JSON.stringify(value)).join(', ')}]`;
}

/** Asserts that a tracer or a policy is refused. */
export async function assertRefused(loading: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(loading, { code, message });
}

/** Asserts that the actual value contains the expected fields, also in nested objects. It may have other fields. */
export function assertPart(actual: unknown, expected: unknown, what: string): void {
  if (Buffer.isBuffer(expected)) {
    assert.equal(Buffer.from(actual as Uint8Array).toString(), expected.toString(), what);
    return;
  }
  if (typeof expected !== 'object' || expected === null) {
    assert.deepEqual(actual, expected, what);
    return;
  }
  assert.ok(typeof actual === 'object' && actual !== null, `${what} is missing`);
  for (const [key, value] of Object.entries(expected)) {
    assertPart((actual as Record<string, unknown>)[key], value, `${what}.${key}`);
  }
}
