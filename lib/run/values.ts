/** Reads the values of hooks. They are empty if the kernel could not read them. Pure. */
import type { HookArgument } from '../../types/index.js';

export function readNumber(argument: HookArgument | undefined): number {
  if (argument === undefined || !('value' in argument)) return 0;
  const { value } = argument;
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : 0;
}

export function readText(argument: HookArgument | undefined): string {
  return argument?.type === 'string' && argument.unreadable !== true ? argument.value : '';
}

/** The path of a file, or the name of a dentry. */
export function readName(argument: HookArgument | undefined): string {
  return argument !== undefined && 'path' in argument ? argument.path : '';
}

/** Undefined for what has no path from the root, such as pipes. */
export function readPath(argument: HookArgument | undefined): string | undefined {
  const name = readName(argument);
  return name.startsWith('/') ? name : undefined;
}
