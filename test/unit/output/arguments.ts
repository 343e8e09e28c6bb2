/** Makes arguments of events for tests, as the tracer reports them. */
import type { FileArgument, HookArgument, StringArgument } from '../../../types/events.js';

export function fileArgument(path: string, index = 0, fields: Partial<FileArgument> = {}): FileArgument {
  const device = { major: 8, minor: 1 };
  return { type: 'file', index, path, flags: [], permission: '-rw-r-----', inode: 42n, device, links: 1, ...fields };
}

export function intArgument(value: number, index: number, type: 'int' | 'uint32' = 'int'): HookArgument {
  return { type, index, value };
}

export function stringArgument(value: string, index: number, truncated = false): StringArgument {
  return { type: 'string', index, value, truncated };
}

export function sizeArgument(value: bigint, index: number): HookArgument {
  return { type: 'size_t', index, value };
}
