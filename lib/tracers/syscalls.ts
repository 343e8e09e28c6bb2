/**
 * Hooks on system calls, with their arguments and their result. There are two ways: a hook on the function of the system
 * call, which reports one event at its return; and the tracepoints of its entry and exit, whose events this file joins.
 */
import type { PlainEvent } from '../../types/events.js';
import { RecentMap } from '../rules/recent-map.js';
import { selectors, type ProcessFilters, type YamlObject } from './policy-text.js';
import { isHookEvent, type Collector, type HookPlainEvent, type Row } from './tracer.js';
import { numberValue, returnNumber } from './values.js';

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
  /** Known only from tracepoints. */
  readonly durationNs?: bigint;
}

/** Unfinished calls that are remembered: one of each thread. */
const CALLS_MAX = 65_536;
/** Fields of the format: four common ones, the number of the call, then its parameters or its result. */
const FIRST_FIELD = 5;

const NEGATIVE = [{ index: 0, operator: 'LessThan', values: ['0'] }];

/** Hooks on the functions. With `failed`, the kernel reports only calls with an error. */
export function syscallFunctions(
  specs: readonly SyscallSpec[],
  filters: ProcessFilters & { readonly failed?: boolean },
): YamlObject {
  return {
    kprobes: specs.map(({ name, args, optional }) => ({
      call: `sys_${name}`,
      ...(optional && { optional }),
      args,
      return: true,
      returnArg: { index: 0, type: 'long' },
      selectors: selectors(filters, ...(filters.failed === true ? [{ matchReturnArgs: NEGATIVE }] : [])),
    })),
  };
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
      return name === undefined ? undefined : { name, entry: event, result: returnNumber(event) ?? 0n };
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
