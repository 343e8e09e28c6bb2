/**
 * Hooks on system calls, with their arguments and their result. There are two ways: a hook on the function of the system
 * call, which reports one event at its return; and the tracepoints of its entry and exit, whose events this file joins.
 */
import type { PlainEvent } from '../../types/events.js';
import { RecentMap } from '../rules/recent-map.js';
import { selectors, type ProcessFilters, type YamlObject } from './policy-text.js';
import { isHookEvent, type Collector, type HookPlainEvent, type Row } from './tracer.js';
import { findValue, numberValue, returnNumber } from './values.js';

export interface SyscallSpec {
  /** Name without `sys_`. */
  readonly name: string;
  readonly args: readonly { readonly index: number; readonly type: string; readonly label: string }[];
  /** Some machines do not have the call. */
  readonly optional?: true;
}

/** A call that has returned. */
export interface SyscallCall {
  readonly name: string;
  /** The event with the arguments. */
  readonly entry: HookPlainEvent;
  readonly result: bigint;
  /** Known from tracepoints, and from functions with a shortest duration. */
  readonly durationNs?: bigint;
}

/** Unfinished calls that are remembered: one of each thread. */
const CALLS_MAX = 65_536;
/** Fields of the format: four common ones, the number of the call, then its parameters or its result. */
const FIRST_FIELD = 5;

const NEGATIVE = [{ index: 0, operator: 'LessThan', values: ['0'] }];

interface CallFilters extends ProcessFilters {
  /** Only calls with an error. */
  readonly failed?: boolean;
  /** Only calls that take longer. */
  readonly minimumNs?: bigint;
}

/** Hooks on the functions, with filters that the kernel evaluates. */
export function syscallFunctions(specs: readonly SyscallSpec[], filters: CallFilters): YamlObject {
  const { failed, minimumNs } = filters;
  const own = {
    ...(failed === true && { matchReturnArgs: NEGATIVE }),
    ...(minimumNs !== undefined && { matchDuration: { operator: 'GT', values: [durationText(minimumNs)] } }),
  };
  return {
    kprobes: specs.map(({ name, args, optional }) => ({
      call: `sys_${name}`,
      ...(optional && { optional }),
      args,
      return: true,
      returnArg: { index: 0, type: 'long' },
      selectors: selectors(filters, own),
    })),
  };
}

const UNITS: readonly (readonly [ns: bigint, unit: string])[] = [
  [1_000_000_000n, 's'],
  [1_000_000n, 'ms'],
  [1000n, 'us'],
];

/** A duration as policies have it, in the largest unit that divides it. */
function durationText(ns: bigint): string {
  const [size, unit] = UNITS.find(([each]) => ns % each === 0n) ?? [1n, 'ns'];
  return `${ns / size}${unit}`;
}

/** Hooks on the tracepoints of entry and exit. */
export function syscallTracepoints(specs: readonly SyscallSpec[], filters: ProcessFilters): YamlObject {
  return {
    tracepoints: specs.flatMap(({ name, args, optional }) => [
      {
        subsystem: 'syscalls',
        event: `sys_enter_${name}`,
        ...(optional && { optional }),
        args: args.map(({ index, type, label }) => ({ index: index + FIRST_FIELD, type, label })),
        selectors: selectors(filters),
      },
      {
        subsystem: 'syscalls',
        event: `sys_exit_${name}`,
        ...(optional && { optional }),
        args: [{ index: FIRST_FIELD, type: 'int64', label: 'result' }],
        selectors: selectors(filters),
      },
    ]),
  };
}

/** Joins the events of both ways to calls. */
export class SyscallCalls {
  readonly #entries = new RecentMap<string, HookPlainEvent>(CALLS_MAX);

  get forgotten(): number {
    return this.#entries.evicted;
  }

  take(event: PlainEvent): SyscallCall | undefined {
    if (!isHookEvent(event)) return undefined;
    if (event.type === 'process_kprobe') {
      const [, name] = /sys_(\w+)$/.exec(event.functionName) ?? [];
      if (name === undefined) return undefined;
      const duration = findValue(event, 'duration');
      return {
        name,
        entry: event,
        result: returnNumber(event) ?? 0n,
        ...(duration !== undefined && { durationNs: numberValue(event, 'duration') }),
      };
    }
    if (event.type !== 'process_tracepoint') return undefined;
    const [, step, name = ''] = /^sys_(enter|exit)_(\w+)$/.exec(event.event) ?? [];
    const key = `${event.tid} ${name}`;
    if (step === 'enter') {
      this.#entries.set(key, event);
      return undefined;
    }
    const entry = this.#entries.get(key);
    if (step !== 'exit' || entry === undefined) return undefined;
    this.#entries.delete(key);
    return { name, entry, result: numberValue(event, 'result'), durationNs: event.timeNs - entry.timeNs };
  }
}

/** Makes at most one row of each call. */
export function collectCalls(toRow: (call: SyscallCall) => Row | undefined): Collector {
  const calls = new SyscallCalls();
  return {
    get forgotten() {
      return calls.forgotten;
    },
    take(event) {
      const call = calls.take(event);
      const row = call && toRow(call);
      return row === undefined ? [] : [row];
    },
  };
}
