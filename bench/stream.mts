// A stream of events without a kernel: the library's reader, process cache and iterators over made-up records. The
// readings that are measured use it.
import { compilePolicy, type HookArgument, type LineFormatter, type TracerEvent } from 'polytrace';
import type { CompiledHook } from '../lib/compiled/compiled-policy.js';
import type { NativeSession } from '../lib/native/binding.js';
import {
  BatchIterator,
  findLineWriter,
  LineIterator,
  EventEncoder,
  Clock,
  EventIterator,
  formatCompact,
  Hub,
  jsonLines,
  messageFrames,
  newTally,
  ProcessCache,
  toJson,
} from './dist.mjs';
import { realisticRecords, shortProgramRecords } from './realistic.mjs';
import { execRecord, fileRecord, RecordSource, socketRecord } from './records.mjs';

const HOOK = 8;
/** Events of the hook for one exec. */
const HOOK_EVENTS = 63;

const FILE_READ = {
  call: { call: 'security_file_permission', syscall: false, message: 'A file was read', tags: ['files'] },
  args: [
    { index: 0, type: 'file' },
    { index: 1, type: 'int' },
  ],
} as const;

/** The same process does the same again and again. */
const repeat =
  (make: (hook: number, values: number) => Buffer) =>
  (hook: number, values: number): readonly Buffer[] => {
    const record = make(hook, values);
    return [execRecord(), ...Array.from({ length: HOOK_EVENTS }, () => record)];
  };

/** The hooks of the made-up records: the policy of each hook, and the records. */
const subjects = {
  file: { ...FILE_READ, records: repeat((hook, values) => fileRecord(hook, values)) },
  socket: {
    call: { call: 'tcp_connect', syscall: false },
    args: [{ index: 0, type: 'sock' }],
    records: repeat(socketRecord),
  },
  realistic: { ...FILE_READ, records: realisticRecords },
  programs: { ...FILE_READ, records: shortProgramRecords },
} as const;

export type Subject = keyof typeof subjects;

function subjectPolicy({ call, args }: (typeof subjects)[Subject]): string {
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: 'bench' },
    spec: { kprobes: [{ ...call, args }] },
  });
}

interface CompiledSubject {
  readonly hook: CompiledHook;
  readonly records: readonly Buffer[];
}

const compiledSubjects = new Map<Subject, CompiledSubject>();

/** Compiles the policy of a subject and makes its records, once. */
function compileSubject(subject: Subject): CompiledSubject {
  let compiled = compiledSubjects.get(subject);
  if (compiled === undefined) {
    const hook = compilePolicy(subjectPolicy(subjects[subject])).hooks[0];
    if (hook === undefined) throw new Error('the policy has no hook');
    compiled = { hook, records: subjects[subject].records(HOOK, hook.args.length) };
    compiledSubjects.set(subject, compiled);
  }
  return compiled;
}

export const subjectRecords = (subject: Subject): readonly Buffer[] => compileSubject(subject).records;

/** CLOCK_BOOTTIME 0 of the made-up machine, in nanoseconds since 1970. */
export const BOOTED_NS = 1_780_000_000_123_456_789n;
export const NODE_NAME = 'bench';

/** A hub that delivers `total` events, like a tracer without its BPF backend. `ends`: it then ends all iterators. */
export function openHub(subject: Subject, total: number, ends = false): InstanceType<typeof Hub> {
  const { hook: compiled, records } = compileSubject(subject);
  const source = new RecordSource(records, total);
  const session: Pick<
    NativeSession,
    'drain' | 'track' | 'takeTracked' | 'unreadBytes' | 'start' | 'arm' | 'setActive' | 'takeLosses' | 'takeMissedRuns'
  > = {
    drain: (chunk, offset) => source.drain(chunk, offset),
    track: () => [],
    takeTracked: () => [],
    unreadBytes: () => source.unreadRecords(),
    start: () => undefined,
    arm: () => undefined,
    setActive: () => undefined,
    takeLosses: () => [],
    takeMissedRuns: () => [],
  };
  const clock = new Clock(() => BOOTED_NS);
  const loaded = { id: HOOK, policyName: 'bench', functionName: compiled.call, compiled, tally: newTally() };
  let isEnding = false;
  const hub = new Hub({
    session: session as NativeSession,
    cache: new ProcessCache({ nodeName: NODE_NAME, clock }),
    clock,
    hooks: new Map([[HOOK, loaded]]),
    nodeName: NODE_NAME,
    coalesceMs: 1,
    bufferSize: 2 ** 26,
    maxQueued: 65_536,
    onEmpty: () => {
      if (!ends || isEnding) return;
      isEnding = true;
      void hub.end(false);
    },
  });
  return hub;
}

/** Reads `total` events. The result depends on each event, so that the compiler cannot remove a read. */
export interface Reading {
  (total: number): Promise<number>;
  /** Removes what the last reading has left. It is not measured. */
  readonly cleanUp?: () => void;
}

export function countItems(subject: Subject): Reading {
  return async (total) => {
    let seen = 0;
    for await (const event of new EventIterator(openHub(subject, total).addConsumer({}))) {
      if (event.type !== 'lost' && ++seen === total) break;
    }
    return seen;
  };
}

export function countBatches(subject: Subject): Reading {
  return async (total) => {
    let seen = 0;
    for await (const batch of new BatchIterator(openHub(subject, total).addConsumer({}))) {
      seen += batch.length;
      if (seen === total) break;
    }
    return seen;
  };
}

/** Reads the type, the binary, and the path or address of the first argument. */
export function readItems(subject: Subject): Reading {
  return async (total) => {
    let seen = 0;
    let length = 0;
    for await (const event of new EventIterator(openHub(subject, total).addConsumer({}))) {
      if (event.type === 'process_kprobe') length += argumentString(event.args[0]).length;
      if (event.type !== 'lost') length += event.process.binary.length;
      if (++seen === total) break;
    }
    return length;
  };
}

function argumentString(argument: HookArgument | undefined): string {
  if (argument === undefined) return '';
  if ('path' in argument) return argument.path;
  return 'destinationAddress' in argument ? argument.destinationAddress : '';
}

/** Puts the result for an event into a buffer. Returns the offset after it. */
type WriteEvent = (event: TracerEvent, buffer: Buffer, at: number) => number;

/** Long enough for the result of any event of the stream. */
const RESULT_MAX = 8192;

/**
 * Writes the result for each event into a buffer, as a program that sends it on does. A string whose length is read
 * is not enough: V8 puts its parts together only when they are needed.
 */
function writeBatches(subject: Subject, write: WriteEvent): Reading {
  const buffer = Buffer.alloc(64 * 1024);
  return async (total) => {
    let seen = 0;
    let written = 0;
    let at = 0;
    for await (const batch of new BatchIterator(openHub(subject, total).addConsumer({}))) {
      for (const event of batch) {
        if (at + RESULT_MAX > buffer.length) at = 0;
        const end = write(event, buffer, at);
        written += end - at;
        at = end;
      }
      seen += batch.length;
      if (seen === total) break;
    }
    return written;
  };
}

const writeString =
  (format: (event: TracerEvent) => string): WriteEvent =>
  (event, buffer, at) =>
    at + buffer.write(`${format(event)}\n`, at);

export const compactStrings = (subject: Subject): Reading =>
  writeBatches(
    subject,
    writeString((event) => formatCompact(event)),
  );
export const jsonStrings = (subject: Subject): Reading =>
  writeBatches(
    subject,
    writeString((event) => toJson(event)),
  );

/** Formats each batch as bytes in one buffer. */
export function lineBytes(subject: Subject, createFormat: () => LineFormatter = jsonLines): Reading {
  const format = createFormat();
  return async (total) => {
    let seen = 0;
    let written = 0;
    for await (const batch of new BatchIterator(openHub(subject, total).addConsumer({}))) {
      written += format(batch).length;
      seen += batch.length;
      if (seen === total) break;
    }
    return written;
  };
}

/** Makes an iterator over the lines of `total` events, as Tracer.lines() does. */
export function iterateLines(subject: Subject, total: number, format: LineFormatter): AsyncIterable<Uint8Array> {
  const writer = findLineWriter(format);
  if (writer === undefined) throw new Error('the function is of another copy of the library');
  return new LineIterator(openHub(subject, total, true).addConsumer({}), writer);
}

/** Reads lines instead of events. */
export function lines(subject: Subject, createFormat: () => LineFormatter = jsonLines): Reading {
  const format = createFormat();
  return async (total) => {
    let written = 0;
    for await (const bytes of iterateLines(subject, total, format)) written += bytes.length;
    return written;
  };
}

/** Makes the function with which the agent encodes events. */
export const agentFrames = (): LineFormatter => messageFrames(new EventEncoder());

/** Encodes events one by one. */
export function encodedEvents(subject: Subject): Reading {
  const encoder = new EventEncoder();
  return writeBatches(subject, (event, buffer, at) => encoder.encode(event).copyTo(buffer, at));
}
