/** Finds the argument of a hook that a filter compares. */
import { SOCKET_TYPES } from '../../compiled/compiled-hook.js';
import type { ArgData, Hook, ValueFilter } from './model.js';

export interface FilteredArg {
  readonly arg: ArgData;
  /** Position in the hook's list of arguments. */
  readonly position: number;
}

/**
 * `index` names the value whose own `index` is that; the first one, if several have it. If no field of a tracepoint has
 * it, it is a position, as published policies write it. `args` contains positions. `values` are the args or the return
 * value of the hook.
 */
export function filteredArg(hook: Hook, values: readonly ArgData[], filter: ValueFilter): FilteredArg | undefined {
  return found(values, filter, hook.kind === 'tracepoints');
}

/** Does the same for matchData, where `index` can be a position, too. */
export function filteredData(data: readonly ArgData[], filter: ValueFilter): FilteredArg | undefined {
  return found(data, filter, true);
}

function found(values: readonly ArgData[], filter: ValueFilter, byPosition: boolean): FilteredArg | undefined {
  const { index = 0, args = [] } = filter;
  const own = values.findIndex((arg) => arg.index === index);
  const position = args[0] ?? (own < 0 && byPosition ? index : own);
  const arg = values[position];
  return arg === undefined ? undefined : { arg, position };
}

/** The parameter itself is a socket or a packet. */
export function isSocket({ type, source }: ArgData): boolean {
  return source === undefined && isSocketType(type);
}

export function isSocketType(type: ArgData['type']): boolean {
  return type !== undefined && SOCKET_TYPES.has(type);
}
