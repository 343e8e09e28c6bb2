/** Shared by the native tests: programs to trace, helpers that collect events, child processes. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  EventsOptions,
  HookArgument,
  LostEvent,
  PolicySource,
  ProcessExecEvent,
  ProcessExitEvent,
  ProcessTracepointEvent,
  ProcessUprobeEvent,
  ProcessUsdtEvent,
  Tracer,
  TracerEvent,
  TracerOptions,
} from '../../types/index.js';

export { needsRoot, needsTracefs } from './requirements.js';

export const ROOT = join(__dirname, '..', '..');
// This loads the package in the same way as users do.
// eslint-disable-next-line @typescript-eslint/no-require-imports
export const polytrace = require('../..') as typeof import('../../types/index.js');
export const { openTracer } = polytrace;

/** `npm run test:sanitize` runs the tests: the addon is slower, uses more memory, and needs terabytes of address space. */
export const SANITIZED = process.env['POLYTRACE_SANITIZED'] === '1';

/** `npm run test:arm64` runs the tests in a machine that is emulated. */
export const EMULATED = process.env['POLYTRACE_KERNEL'] === 'arm64';
const SLOW = SANITIZED || EMULATED;

/** Skips tests of time and memory where everything is slow. */
export function needsOwnSpeed(this: Mocha.Context): void {
  if (SLOW) this.skip();
}

/** The mount point of the cgroup2 hierarchy. */
export function unifiedMount(): string {
  const found = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').find((line) => line.includes(' - cgroup2 '));
  if (found === undefined) throw new Error('the cgroup2 hierarchy is not mounted');
  return found.split(' ')[4] as string;
}

/** A folder for one test file, with the compiled helper. */
export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'polytrace-native-'));
  readonly helper = join(this.folder, 'helper');

  constructor() {
    execFileSync('cc', ['-O1', '-pthread', '-o', this.helper, join(__dirname, 'programs', 'helper.c')]);
  }

  run(...args: readonly string[]): void {
    const { status, signal, stderr } = spawnSync(this.helper, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`helper ${args.join(' ')}: ${status ?? signal} ${stderr}`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const isExec = (event: TracerEvent): event is ProcessExecEvent => event.type === 'process_exec';
export const isExit = (event: TracerEvent): event is ProcessExitEvent => event.type === 'process_exit';
export const isLost = (event: TracerEvent): event is LostEvent => event.type === 'lost';
export const isTracepoint = (event: TracerEvent): event is ProcessTracepointEvent => event.type === 'process_tracepoint';
export const isUprobe = (event: TracerEvent): event is ProcessUprobeEvent => event.type === 'process_uprobe';
export const isUsdt = (event: TracerEvent): event is ProcessUsdtEvent => event.type === 'process_usdt';

export function assertNoLoss(events: readonly TracerEvent[]): void {
  assert.deepEqual(events.filter(isLost), []);
}

/** The number or the string of an argument. Bytes are returned as a string. */
export function argumentValue(argument: HookArgument | undefined): unknown {
  if (argument === undefined || !('value' in argument)) return undefined;
  return argument.value instanceof Uint8Array ? Buffer.from(argument.value).toString() : argument.value;
}

/** A program in its own mount namespace, where other processes do not see its file. `path` is its path from here. */
export async function startHidden(
  program: string,
): Promise<{ readonly path: string; readonly inside: string; readonly go: () => Promise<void> }> {
  const inside = '/mnt/hidden';
  const script = `mount -t tmpfs none /mnt && cp "$0" ${inside} && echo ready && read -r _ && exec ${inside} hidden`;
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [first] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as readonly unknown[];
  if (String(first) !== 'ready\n') throw new Error(`the hidden program did not start: ${String(first)}`);
  return {
    path: `/proc/${child.pid ?? 0}/root${inside}`,
    inside,
    go: async () => {
      child.stdin.end('go\n');
      await once(child, 'exit');
    },
  };
}

let marks = 0;

/** A mark that every iterator recognises as the end: a process with a unique argument. */
export function leaveMark(): string {
  const mark = `mark-${process.pid}-${++marks}`;
  execFileSync('/bin/true', [mark]);
  return mark;
}

/** All events up to the exit of the mark, without those of the mark. */
export async function readUntil(mark: string, events: AsyncIterator<TracerEvent, undefined>): Promise<TracerEvent[]> {
  const result: TracerEvent[] = [];
  for (;;) {
    const { value: event, done } = await events.next();
    if (done === true) throw new Error(`the stream ended before ${mark}`);
    if (isLost(event) || event.process.argv.at(-1) !== mark) result.push(event);
    else if (isExit(event)) return result;
  }
}

/** The events of the processes that `run` starts, without those of other processes. */
export async function traceRun(run: () => unknown, options: TracerOptions = {}): Promise<TracerEvent[]> {
  const tracer = await openTracer(options);
  try {
    return await collectEvents(tracer, run);
  } finally {
    await tracer.close();
  }
}

/** The events of the processes that `run` starts, and lost events. */
export async function collectEvents(tracer: Tracer, run: () => unknown): Promise<TracerEvent[]> {
  return (await collectAllEvents(tracer, run)).filter((event) => isLost(event) || isOwnEvent(event));
}

/** The events of all processes on this machine while `run` runs, such as those of containers. */
export async function collectAllEvents(
  tracer: Tracer,
  run: () => unknown,
  options: EventsOptions = {},
): Promise<TracerEvent[]> {
  const events = tracer.events(options);
  await run();
  const all = await readUntil(leaveMark(), events);
  await events.return?.();
  return all;
}

/** The hook events that `run` causes under the policy. Fails if an event is lost. */
export async function tracePolicy<T extends TracerEvent>(
  policy: PolicySource,
  isHookEvent: (event: TracerEvent) => event is T,
  run: () => unknown,
): Promise<T[]> {
  const events = await traceRun(run, { policies: [policy] });
  assertNoLoss(events);
  return events.filter(isHookEvent);
}

/** Asserts that a tracer with this policy does not open. */
export async function assertRefused(policy: PolicySource, code: string, message: RegExp): Promise<void> {
  await assert.rejects(openTracer({ policies: [policy] }), { code, message });
}

function isOwnEvent(event: ProcessExecEvent | ProcessExitEvent | Exclude<TracerEvent, LostEvent>): boolean {
  return [event.parent, ...event.ancestors].some((process) => process?.pid === globalThis.process.pid);
}

/** A program in plain JavaScript that uses the library in its own process. It can use `polytrace` and `out`. */
export function script(body: string): string {
  return `const polytrace = require(${JSON.stringify(ROOT)});
const out = (value) => console.log(JSON.stringify(value));
(async () => { ${body} })().catch((error) => { console.error(error); process.exit(9); });`;
}

/** For a program with --expose-gc: the bytes that it uses, without the heap that V8 keeps in reserve. */
export const USED_MEMORY = `const usedMemory = async () => {
  for (let i = 0; i < 3; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  return { rss: rss - (heapTotal - heapUsed), external };
};`;

interface ScriptOptions {
  readonly command?: readonly string[];
  readonly nodeArgs?: readonly string[];
  readonly timeout?: number;
  /** Called at the first output of the script. */
  readonly onOutput?: () => void;
}

export async function runScript(
  body: string,
  { command = [], nodeArgs = [], timeout = SLOW ? 160_000 : 40_000, onOutput }: ScriptOptions = {},
): Promise<{ status: number | null; signal: string | null; stdout: string; stderr: string }> {
  const [file = process.execPath, ...args] = [...command, process.execPath, ...nodeArgs, '-e', script(body)];
  const child = spawn(file, args, { stdio: 'pipe', timeout, killSignal: 'SIGKILL' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  if (onOutput !== undefined) child.stdout.once('data', onOutput);
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { status, signal, stdout, stderr };
}
