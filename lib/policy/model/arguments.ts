/** Finds the argument of a hook that a filter compares. */
import { SOCKET_TYPES } from '../../image/hook.js';
import type { ArgData, Hook, ValueFilter } from './model.js';

export interface FilteredArg {
  readonly arg: ArgData;
  /** Position in the hook's list of arguments. */
  readonly position: number;
}

/**
 * `index` names a parameter, like the `index` of an argument. `args` contains positions in the list of args. In filters
 * of tracepoints, `index` can also be a position; the position is tried first.
 */
export function filteredArg(hook: Hook, args: readonly ArgData[], filter: ValueFilter): FilteredArg | undefined {
  return argAt(hook.kind === 'tracepoints', args, filter);
}

/** Does the same for matchData, where `index` is a position in data. */
export function filteredData(data: readonly ArgData[], filter: ValueFilter): FilteredArg | undefined {
  return argAt(true, data, filter);
}

/** The parameter itself is a socket or a packet. */
export function isSocket({ type, source }: ArgData): boolean {
  return source === undefined && isSocketType(type);
}

export function isSocketType(type: ArgData['type']): boolean {
  return type !== undefined && SOCKET_TYPES.has(type);
}

function argAt(byPosition: boolean, args: readonly ArgData[], filter: ValueFilter): FilteredArg | undefined {
  const position = filter.args?.[0];
  if (position !== undefined) return at(args, position);
  const index = filter.index ?? 0;
  const byIndex = args.findIndex((arg) => arg.index === index);
  if (byPosition) return at(args, index) ?? at(args, byIndex);
  return at(args, byIndex);
}

function at(args: readonly ArgData[], position: number): FilteredArg | undefined {
  const arg = args[position];
  return arg === undefined ? undefined : { arg, position };
}
