/**
 * Writes events as a recording. Its lines are JSON:
 *
 * - the header: `{"polytrace":"recording","version":1,"architecture":"x64"}`
 * - a process: `{"process":N,"is":{…}}`; events refer to it by its number, until another process gets this number
 * - a hook: `{"hook":N,"is":{…}}`
 * - an event: `{"event":{…},"hook":N}`
 */
import type { AgentEvent, PlainProcess } from '../../types/events.js';
import type { RecordedHook, RecordedValue, Recorder } from '../../types/recording.js';
import type { LoadedHook } from '../events/hook.js';
import { findLoadedHook } from '../events/hook-events.js';
import { getLoaderHook, LoaderEvent } from '../events/loader.js';
import { isFiltered, hookValues } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import { hostArchitecture } from '../names/syscalls.js';
import { escapeUnsafeJson } from '../output/escape.js';
import { encodePlain } from './plain-json.js';

export const RECORDING = 'recording';
export const VERSION = 1;
/** Maximum number of processes, and of hooks. When all numbers are in use, the oldest one is used again. */
export const NUMBERS_MAX = 16_384;

export function recorder(): Recorder {
  const processes = new NumberPool<PlainProcess>();
  const hooks = new NumberPool<LoadedHook>();
  return {
    header: toJsonLine({ polytrace: RECORDING, version: VERSION, architecture: hostArchitecture() }),
    lines: (event) => formatEventLines(event, processes, hooks),
  };
}

function toJsonLine(content: object): string {
  return `${escapeUnsafeJson(JSON.stringify(content))}\n`;
}

/** Assigns numbers to objects. If an object appears again after its number was reused, it gets a new number. */
class NumberPool<T extends object> {
  readonly #known = new WeakMap<T, number>();
  readonly #objects: T[] = [];
  #next = 0;

  /** `onNew` is called for an object that needs a new number. */
  assign(object: T, onNew: (number: number) => void): number {
    const known = this.#known.get(object);
    if (known !== undefined && this.#objects[known] === object) return known;
    const number = this.#next;
    this.#next = (number + 1) % NUMBERS_MAX;
    this.#objects[number] = object;
    this.#known.set(object, number);
    onNew(number);
    return number;
  }
}

function formatEventLines(
  event: AgentEvent,
  processes: NumberPool<PlainProcess>,
  hooks: NumberPool<LoadedHook>,
): string {
  let before = '';
  const processNumber = (process: PlainProcess): number =>
    processes.assign(process, (number) => (before += toJsonLine({ process: number, is: encodePlain(process) })));
  const plain = event.toObject();
  if (!('process' in plain)) return toJsonLine({ event: encodePlain(plain) });
  const { process, parent, former, ancestors, ...fields } = plain;
  const references = {
    process: processNumber(process),
    ...(parent === undefined ? {} : { parent: processNumber(parent) }),
    ...(former === undefined ? {} : { former: processNumber(former) }),
    ancestors: ancestors.map(processNumber),
  };
  const loaded = findHook(event);
  const hook =
    loaded &&
    hooks.assign(loaded, (number) => (before += toJsonLine({ hook: number, is: encodePlain(toRecordedHook(loaded)) })));
  const last = toJsonLine({
    event: { ...(encodePlain(fields) as object), ...references },
    ...(hook === undefined ? {} : { hook }),
  });
  return before + last;
}

/** Returns the hook that caused the event. */
function findHook(event: AgentEvent): LoadedHook | undefined {
  switch (event.type) {
    case 'process_kprobe':
    case 'process_tracepoint':
    case 'process_uprobe':
    case 'process_usdt':
    case 'process_lsm':
      return findLoadedHook(event);
    case 'process_loader':
      return event instanceof LoaderEvent ? getLoaderHook(event) : undefined;
    case 'process_exec':
    case 'process_exit':
    case 'process_throttle':
    case 'change':
    case 'lost':
      return undefined;
  }
}

const HOOK_KEYS = ['kind', 'call', 'syscall', 'list', 'places', 'program', 'usdt', 'tracepoint', 'position'] as const;

/** Describes the values that the hook reads, without its filters. */
export function toRecordedHook({ policyName, compiled }: Pick<LoadedHook, 'policyName' | 'compiled'>): RecordedHook {
  const { args, data, returnArg } = compiled;
  const hookFields = Object.fromEntries(
    HOOK_KEYS.filter((name) => compiled[name] !== undefined).map((name) => [name, compiled[name]]),
  );
  return {
    ...(hookFields as Pick<CompiledHook, (typeof HOOK_KEYS)[number]>),
    policyName,
    args: args.map(toRecordedValue),
    data: data.map(toRecordedValue),
    ...(returnArg === undefined ? {} : { returnArg: toRecordedValue(returnArg) }),
    isFiltered: hasFilters(compiled),
  };
}

function toRecordedValue({ ints, intTable, texts, net, ...value }: CompiledValue): RecordedValue {
  void [ints, intTable, texts, net];
  return value;
}

function hasFilters(hook: CompiledHook): boolean {
  const { process, sets, scopes, changes, cel, markTests = [], actions = [], returnActions = [] } = hook;
  return (
    hookValues(hook).some(isFiltered) ||
    [process, sets, scopes, changes, markTests, cel.entry, cel.returned].some(({ length }) => length > 0) ||
    [...actions, ...returnActions].some(({ order, rateLimit }) => rateLimit !== undefined || order.includes('noPost'))
  );
}
