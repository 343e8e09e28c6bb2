// A stream of events without a kernel: the library's reader, process cache and iterators over made-up records. The
// readings that are measured use it.
import { compilePolicy, formatCompact, toJson, type HookArgument, type TracerEvent } from 'polytrace';
import type { NativeSession } from '../lib/native/binding.js';
import { BatchIterator, EventEncoder, Clock, EventIterator, Hub, newTally, ProcessCache } from './dist.mjs';
import { execRecord, fileRecord, RecordSource, socketRecord } from './records.mjs';

const HOOK = 8;
/** Events of the hook for one exec. */
const HOOK_EVENTS = 63;

/** The hooks of the made-up records: the policy of each hook, and its record. */
const subjects = {
  file: {
    call: { call: 'security_file_permission', syscall: false, message: 'A file was read', tags: ['files'] },
    args: [
      { index: 0, type: 'file' },
      { index: 1, type: 'int' },
    ],
    record: fileRecord,
  },
  socket: {
    call: { call: 'tcp_connect', syscall: false },
    args: [{ index: 0, type: 'sock' }],
    record: socketRecord,
  },
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

/** A hub that delivers `total` events, like a tracer without its BPF backend. */
export function openHub(subject: Subject, total: number): InstanceType<typeof Hub> {
  const { hooks } = compilePolicy(subjectPolicy(subjects[subject]));
  const compiled = hooks[0];
  if (compiled === undefined) throw new Error('the policy has no hook');
  const hookEvent = subjects[subject].record(HOOK, compiled.args.length);
  const source = new RecordSource([execRecord(), ...Array.from({ length: HOOK_EVENTS }, () => hookEvent)], total);
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
  const clock = new Clock(() => 0n);
  const loaded = { id: HOOK, policyName: 'bench', functionName: compiled.call, compiled, tally: newTally() };
  return new Hub({
    session: session as NativeSession,
    cache: new ProcessCache({ nodeName: 'bench', clock }),
    clock,
    hooks: new Map([[HOOK, loaded]]),
    nodeName: 'bench',
    coalesceMs: 1,
    bufferSize: 2 ** 26,
    maxQueued: 65_536,
    onEmpty: () => undefined,
  });
}

/** Reads `total` events. The result depends on each event, so that the compiler cannot remove a read. */
export type Reading = (total: number) => Promise<number>;

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

function formatBatches(subject: Subject, format: (event: TracerEvent) => { readonly length: number }): Reading {
  return async (total) => {
    let seen = 0;
    let length = 0;
    for await (const batch of new BatchIterator(openHub(subject, total).addConsumer({}))) {
      for (const event of batch) length += format(event).length;
      seen += batch.length;
      if (seen === total) break;
    }
    return length;
  };
}

export const compactLines = (subject: Subject): Reading => formatBatches(subject, (event) => formatCompact(event));
export const jsonLines = (subject: Subject): Reading => formatBatches(subject, toJson);

/** Encodes events as the agent sends them to its clients. */
export function encodedEvents(subject: Subject): Reading {
  const encoder = new EventEncoder();
  return formatBatches(subject, (event) => encoder.encode(event));
}
