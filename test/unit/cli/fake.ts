/** A fake tracer without a kernel, and a command that uses it. */
import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import type { Api, Context } from '../../../lib/cli/context.js';
import { runCommand } from '../../../lib/cli/program.js';
import * as errors from '../../../lib/errors.js';
import * as policies from '../../../lib/policy/index.js';
import { findHook, listHooks } from '../../../lib/tracer/hooks.js';
import * as files from '../../../lib/tracer/policy-files.js';
import { compactLines } from '../../../lib/lines/compact-lines.js';
import { jsonLines } from '../../../lib/lines/json-lines.js';
import {
  eventFilter,
  fieldFilter,
  formatCompact,
  eventPath,
  redactor,
  summarizeEvent,
  toJson,
} from '../../../lib/output/index.js';
import { compareLocks, parseLock } from '../../../lib/run/lock.js';
import { lockPolicy } from '../../../lib/run/lock-policy.js';
import { formatRunSummary } from '../../../lib/run/summary.js';
import { checkExceptions, learnExceptions } from '../../../lib/learn/learn-exceptions.js';
import { learnService, servicePolicy } from '../../../lib/learn/learn-service.js';
import { recordingReader } from '../../../lib/recording/reader.js';
import { recorder } from '../../../lib/recording/recorder.js';
import { replayer } from '../../../lib/recording/replay.js';
import type {
  LineFormatter,
  CloseOptions,
  EventsOptions,
  MetricsSample,
  PlainEvent,
  PolicySource,
  PolicyStatus,
  ContainerInfo,
  ContainerSourceStatus,
  Tracer,
  TracerIterator,
  TracerOptions,
  HostLimitation,
} from '../../../types/index.js';

/** Delivers the batches that a test pushes. `close` delivers the last batch, like a tracer that drains the ring buffer. */
class FakeTracer implements Tracer {
  readonly #queue: (readonly PlainEvent[])[] = [];
  #wake: (() => void) | undefined;
  #closed = false;
  /** Batch that is delivered repeatedly until the tracer is closed. */
  endless: readonly PlainEvent[] | undefined;
  /** Batch that close() delivers. */
  remaining: readonly PlainEvent[] = [];
  options: Omit<EventsOptions, 'plain'> | undefined;
  statuses: PolicyStatus[] = [];
  closes = 0;
  closeOptions: CloseOptions | undefined;
  sources: ContainerSourceStatus[] = [];
  onClose: () => Promise<void> = () => Promise.resolve();

  containers(): ContainerInfo[] {
    return [];
  }

  containerSources(): ContainerSourceStatus[] {
    return this.sources;
  }

  push(...batch: PlainEvent[]): void {
    this.#queue.push(batch);
    this.#wake?.();
  }

  batches(options?: Omit<EventsOptions, 'plain'>): TracerIterator<never> {
    this.options = options;
    // The command only formats the events and never copies them.
    return this.#iterate() as AsyncIterator<unknown> as TracerIterator<never>;
  }

  lines(format: LineFormatter, options?: EventsOptions): TracerIterator<Uint8Array> {
    this.options = options;
    return this.#iterateLines(format) as AsyncIterator<Uint8Array> as TracerIterator<Uint8Array>;
  }

  async *#iterateLines(format: LineFormatter): AsyncGenerator<Uint8Array, undefined> {
    for await (const batch of this.#iterate()) yield format(batch);
  }

  async *#iterate(): AsyncGenerator<readonly PlainEvent[], undefined> {
    for (;;) {
      const batch = this.#queue.shift();
      if (batch !== undefined) yield batch;
      else if (this.#closed) return;
      else if (this.endless !== undefined) yield this.endless;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async close(how?: CloseOptions): Promise<void> {
    this.closes += 1;
    this.closeOptions = how;
    try {
      await this.onClose();
    } finally {
      if (this.remaining.length > 0) this.#queue.push(this.remaining);
      this.remaining = [];
      this.#closed = true;
      this.#wake?.();
    }
  }

  policies(): PolicyStatus[] {
    return this.statuses;
  }

  /** Policies that commands have added. */
  readonly added: string[] = [];
  onAdd: () => void = () => undefined;

  addPolicy(source: PolicySource): Promise<PolicyStatus[]> {
    this.added.push(typeof source === 'object' && 'yaml' in source ? source.yaml : JSON.stringify(source));
    return Promise.resolve().then(() => {
      this.onAdd();
      return this.statuses;
    });
  }

  events = throwUnused;
  removePolicy = throwUnused;
  replacePolicy = throwUnused;
  enablePolicy = throwUnused;
  disablePolicy = throwUnused;
  setPolicyMode = throwUnused;
  metrics: () => Promise<MetricsSample> = throwUnused;
  samples: readonly MetricsSample[] = [];
  async *metricsEvery(): AsyncGenerator<MetricsSample, undefined> {
    for (const sample of this.samples) {
      await Promise.resolve();
      if (this.#closed) return;
      yield sample;
    }
  }
  stats = throwUnused;
  takeOver = throwUnused;
  process = throwUnused;
  children = throwUnused;
  ancestors = throwUnused;
  setNodeLabels = throwUnused;
  [Symbol.asyncIterator] = throwUnused;
  [Symbol.asyncDispose] = throwUnused;
}

function throwUnused(): never {
  throw new Error('the command does not use this');
}

/** Stores the output. `waitFor` resolves when the output contains a string. */
class Sink extends Writable {
  text = '';
  isTTY = false;
  #waiting: (() => void)[] = [];

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.text += chunk.toString();
    this.#waiting.forEach((check) => check());
    done();
  }

  async waitFor(text: string): Promise<void> {
    while (!this.text.includes(text)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

export class FakeCommand {
  readonly tracer = new FakeTracer();
  readonly stdout = new Sink();
  readonly stderr = new Sink();
  readonly signals = new EventEmitter();
  readonly exits: number[] = [];
  env: Record<string, string> = {};
  openOptions: TracerOptions | undefined;
  /** Called while the tracer opens. */
  onOpen: (onProgress: TracerOptions['onProgress']) => void = () => undefined;
  gaps: readonly HostLimitation[] = [];
  api: Api = {
    ...errors,
    checkExceptions,
    compareLocks,
    formatRunSummary,
    learnExceptions,
    learnService,
    servicePolicy,
    lockPolicy,
    parseLock,
    run: throwUnused,
    eventFilter,
    fieldFilter,
    formatCompact,
    eventPath,
    redactor,
    summarizeEvent,
    compactLines,
    jsonLines,
    toJson,
    recorder,
    recordingReader,
    replayer,
    ...policies,
    ...files,
    findHook,
    listHooks,
    validatePolicy: () => [],
    loadKernelInfo: () => {
      throw new errors.KernelError('ADDON_MISSING', 'the native addon is not there', 'build it');
    },
    hostGaps: () => this.gaps,
    removePersisted: (path) => Promise.resolve([`${path}/1`, path]),
    preflight: () => ({
      kernel: '6.12.0',
      preemption: 'voluntary',
      features: [],
      canTrace: true,
      canAttachKprobes: true,
    }),
    tryTracing: () => Promise.reject(new Error('the command does not use this')),
    openTracer: ({ onProgress, ...options } = {}) => {
      this.openOptions = options;
      this.onOpen(onProgress);
      return Promise.resolve(this.tracer);
    },
  };

  stdin: NodeJS.ReadableStream = Readable.from([]);

  /** The package is not installed, as on most machines. */
  agentPackage: Context['agentPackage'] = () => {
    throw Object.assign(new Error('no such package'), { code: 'MODULE_NOT_FOUND' });
  };

  /** The output so far, with paths relative to `folder`. */
  relativeOutput(folder: string): string {
    return this.stdout.text.replaceAll(`${folder}/`, '');
  }

  run(...args: string[]): Promise<number> {
    return runCommand(args, this.context());
  }

  context(stdout: Context['stdout'] = this.stdout): Context {
    const { api, stderr, signals, env, exits } = this;
    return {
      api,
      agentPackage: () => this.agentPackage(),
      stdin: this.stdin,
      stdout,
      stderr,
      signals,
      env,
      exit: (status) => void exits.push(status),
    };
  }
}
