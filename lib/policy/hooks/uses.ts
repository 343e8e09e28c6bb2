/** Finds the hooks of a policy, as the names of `polytrace hooks`. */
import type { Analysis } from '../analyse.js';
import { expandCall } from '../model/lists.js';
import type { Hook, PolicyData } from '../model/model.js';

/** A key of a hook: its kind, its name, and for a file its path. */
export const hookKey = (kind: string, name: string, file = ''): string => `${kind} ${name} ${file}`;

/** Returns the keys of all hooks. The functions of a generated list are not known. */
export function policyHookKeys({ data, hooks }: Pick<Analysis, 'data' | 'hooks'>): string[] {
  return hooks.flatMap((hook) => listKeys(data, hook));
}

function listKeys(policy: PolicyData, { kind, data }: Hook): string[] {
  const { path = '' } = data;
  switch (kind) {
    case 'kprobes':
    case 'fentries':
      return expandCall(policy, data.call ?? '', data.syscall ?? true).map(({ name, syscall }) =>
        hookKey(syscall ? 'syscall' : 'function', name),
      );
    case 'lsmhooks':
      return [hookKey('lsm', data.hook ?? '')];
    case 'tracepoints':
      return data.raw === true
        ? [hookKey('raw_tracepoint', data.event ?? '')]
        : [hookKey('tracepoint', `${data.subsystem}/${data.event}`)];
    case 'uprobes':
      return (data.symbols ?? []).map((symbol) => hookKey('uprobe', symbol, path));
    case 'usdts':
      return [hookKey('usdt', `${data.provider}:${data.name}`, path)];
  }
}
