/** Finds the argument of a hook that a filter compares. */
import { ARG_TYPES, COMPARED_AS } from '../language/vocabulary.js';
import type { ArgData, Hook, ValueFilter } from './model.js';

export interface FilteredArg {
  readonly arg: ArgData;
  /** Position in the hook's list of values, from 0. */
  readonly position: number;
}

/**
 * Finds the value that a filter compares. `values`: the args or the return value of the hook. The filter's `args`
 * contain positions. Its `index` selects the first value with the same `index`. If no field of a tracepoint has that
 * index, it is a position, as in published policies.
 */
export function findFilteredArg(hook: Hook, values: readonly ArgData[], filter: ValueFilter): FilteredArg | undefined {
  return findValue(values, filter, hook.kind === 'tracepoints');
}

/** Finds the value that a filter of matchData compares. Its `index` is a position in `data`, like its `args`. */
export function findFilteredData(
  data: readonly ArgData[],
  { index = 0, args = [] }: ValueFilter,
): FilteredArg | undefined {
  const position = args[0] ?? index;
  const arg = data[position];
  return arg === undefined ? undefined : { arg, position };
}

function findValue(values: readonly ArgData[], filter: ValueFilter, byPosition: boolean): FilteredArg | undefined {
  const { index = 0, args = [] } = filter;
  const withIndex = values.findIndex((arg) => arg.index === index);
  const position = args[0] ?? (withIndex < 0 && byPosition ? index : withIndex);
  const arg = values[position];
  return arg === undefined ? undefined : { arg, position };
}

/** True if the parameter itself is a socket or a packet. */
export function isSocket({ type, source }: ArgData): boolean {
  return source === undefined && isSocketType(type);
}

/** A packet counts as a socket, because it belongs to one. */
export function isSocketType(type: ArgData['type']): boolean {
  return type !== undefined && COMPARED_AS[ARG_TYPES[type].class] === 'socket';
}
