/**
 * Writes events as a recording. Its lines are JSON:
 *
 * - the header: `{"polytrace":"recording","version":1,"architecture":"x64"}`
 * - a process: `{"process":N,"is":{…}}`; events refer to it by its number, until another process gets this number
 * - a hook: `{"hook":N,"is":{…}}`
 * - an event: `{"event":{…},"hook":N}`
 */
import type { PlainProcess, TracerEvent } from '../../types/events.js';
import type { RecordedHook, RecordedValue, Recorder } from '../../types/recording.js';
import type { LoadedHook } from '../events/hook.js';
import { loadedHookOf } from '../events/hook-events.js';
import { hookOfLoader, LoaderEvent } from '../events/loader.js';
import { isFiltered, valuesOf } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import { hostArchitecture } from '../names/syscalls.js';
import { safeJson } from '../output/escape.js';
import { encodePlain } from './plain-json.js';

export const RECORDING = 'recording';
export const VERSION = 1;
/** Numbers of processes and of hooks. When all are taken, the oldest gets another meaning. */
export const NUMBERS = 16_384;

export function recorder(): Recorder {
  const processes = new Numbers<PlainProcess>();
  const hooks = new Numbers<LoadedHook>();
  return {
    header: line({ polytrace: RECORDING, version: VERSION, architecture: hostArchitecture() }),
    lines: (event) => linesOf(event, processes, hooks),
  };
}

function line(content: object): string {
  return `${safeJson(JSON.stringify(content))}\n`;
}

/** Numbers for objects that recur. An object that comes again after its number was given away gets a new one. */
class Numbers<T extends object> {
  readonly #known = new WeakMap<T, number>();
  readonly #objects: T[] = [];
  #next = 0;

  /** `onNew` is called for an object that needs a new number. */
  of(object: T, onNew: (number: number) => void): number {
    const known = this.#known.get(object);
    if (known !== undefined && this.#objects[known] === object) return known;
    const number = this.#next;
    this.#next = (number + 1) % NUMBERS;
    this.#objects[number] = object;
    this.#known.set(object, number);
    onNew(number);
    return number;
  }
}

function linesOf(event: TracerEvent, processes: Numbers<PlainProcess>, hooks: Numbers<LoadedHook>): string {
  let before = '';
  const numberOf = (process: PlainProcess): number =>
    processes.of(process, (number) => (before += line({ process: number, is: encodePlain(process) })));
  const plain = event.toObject();
  if (plain.type === 'lost') return line({ event: encodePlain(plain) });
  const { process, parent, former, ancestors, ...own } = plain;
  const references = {
    process: numberOf(process),
    ...(parent === undefined ? {} : { parent: numberOf(parent) }),
    ...(former === undefined ? {} : { former: numberOf(former) }),
    ancestors: ancestors.map(numberOf),
  };
  const loaded = event instanceof LoaderEvent ? hookOfLoader(event) : loadedHookOf(event);
  const hook =
    loaded && hooks.of(loaded, (number) => (before += line({ hook: number, is: encodePlain(recordedHook(loaded)) })));
  const last = line({
    event: { ...(encodePlain(own) as object), ...references },
    ...(hook === undefined ? {} : { hook }),
  });
  return before + last;
}

const PLACE = ['kind', 'call', 'syscall', 'list', 'places', 'program', 'usdt', 'tracepoint', 'position'] as const;

/** Describes the values that the hook reads, without its filters. */
export function recordedHook({ policyName, image }: Pick<LoadedHook, 'policyName' | 'image'>): RecordedHook {
  const { args, data, returnArg } = image;
  const place = Object.fromEntries(
    PLACE.filter((name) => image[name] !== undefined).map((name) => [name, image[name]]),
  );
  return {
    ...(place as Pick<CompiledHook, (typeof PLACE)[number]>),
    policyName,
    args: args.map(recordedValue),
    data: data.map(recordedValue),
    ...(returnArg === undefined ? {} : { returnArg: recordedValue(returnArg) }),
    isFiltered: leavesOut(image),
  };
}

function recordedValue({ ints, intTable, texts, net, ...value }: CompiledValue): RecordedValue {
  void [ints, intTable, texts, net];
  return value;
}

function leavesOut(hook: CompiledHook): boolean {
  const { process, sets, scopes, changes, cel, actions = [], returnActions = [] } = hook;
  return (
    valuesOf(hook).some(isFiltered) ||
    [process, sets, scopes, changes, cel.entry, cel.returned].some(({ length }) => length > 0) ||
    [...actions, ...returnActions].some(({ order, rateLimit }) => rateLimit !== undefined || order.includes('noPost'))
  );
}
