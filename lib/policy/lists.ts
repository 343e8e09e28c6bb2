/** `list:NAME` in calls and values. */
import type { ListData, PolicyData } from './model.js';

const PREFIX = 'list:';

/** The name in `list:NAME`; undefined where the text is no such reference. */
export function listName(text: string): string | undefined {
  return text.startsWith(PREFIX) ? text.slice(PREFIX.length) : undefined;
}

export function findList(policy: PolicyData, name: string): ListData | undefined {
  return policy.spec?.lists?.find((list) => list.name === name);
}

export interface Call {
  readonly name: string;
  readonly syscall: boolean;
}

/** The functions that a hook's `call` means, each once. */
export function callsOf(policy: PolicyData, call: string, syscall: boolean): Call[] {
  const name = listName(call);
  if (name === undefined) return [{ name: call, syscall }];
  const list = findList(policy, name);
  const functions = [...new Set(list?.values ?? [])];
  return functions.map((value) => ({ name: value, syscall: list?.type === 'syscalls' || syscall }));
}
