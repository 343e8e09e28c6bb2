/** Compiles Count actions. Equal ones of several selectors are one count. */
import { isDeepStrictEqual } from 'node:util';
import type { CompiledCount, CountLabel } from '../../compiled/compiled-policy.js';
import { COUNT_KEYS_DEFAULT } from '../language/limits.js';
import { findCountedValue, findLabel, isNameFailure } from '../model/counts.js';
import type { ActionData, Hook, HookData } from '../model/model.js';

export function compileCounts({ data, selectors }: Hook): readonly CompiledCount[] {
  const found: { action: ActionData; selectors: number[] }[] = [];
  selectors.forEach(({ matchActions = [] }, selector) => {
    for (const action of matchActions) {
      if (action.action !== 'Count') continue;
      const same = found.find((each) => isDeepStrictEqual(each.action, action));
      if (same === undefined) found.push({ action, selectors: [selector] });
      else if (!same.selectors.includes(selector)) same.selectors.push(selector);
    }
  });
  return found.map((each) => compileCount(data, each.action, each.selectors));
}

function compileCount(hook: HookData, action: ActionData, selectors: readonly number[]): CompiledCount {
  const { metric = '', kind = 'counter', by = [], maxKeys } = action;
  const value = findCountedValue(hook, action);
  return {
    metric,
    kind,
    selectors,
    labels: by.flatMap((text) => compileLabel(hook, text, action.folders) ?? []),
    ...(value === undefined || isNameFailure(value) ? {} : { value: value.slot }),
    maxKeys: maxKeys === undefined || maxKeys === 0 ? COUNT_KEYS_DEFAULT : maxKeys,
  };
}

function compileLabel(hook: HookData, name: string, folders: number | undefined): CountLabel | undefined {
  const source = findLabel(hook, name);
  if (typeof source === 'string') return { name, of: source };
  if (isNameFailure(source)) return undefined;
  const { slot, part } = source;
  return { name, of: part, slot, ...(part === 'text' && folders ? { folders } : {}) };
}
