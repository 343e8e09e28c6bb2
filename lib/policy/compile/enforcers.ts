/** Compiles enforcers: each function that carries out notifications gets a hook of its own. */
import type { CompiledHook } from '../../compiled/compiled-policy.js';
import { callsOf } from '../model/lists.js';
import type { Hook } from '../model/model.js';
import type { Analysis } from '../analyse.js';

export function enforcersOf({ data, hooks, file, places }: Analysis): CompiledHook[] {
  const mayOverride = overridesByEnforcers(hooks);
  const images = new Map<string, CompiledHook>();
  for (const { calls = [] } of data.spec?.enforcers ?? []) {
    calls.forEach((written, i) => {
      const position = { file, ...places.position(places.value(calls, i)) };
      for (const { name } of callsOf(data, written, false)) {
        if (!images.has(name)) images.set(name, imageOf(name, position, mayOverride));
      }
    });
  }
  return [...images.values()];
}

/** True if any notification asks to override the call. */
export function overridesByEnforcers(hooks: readonly Hook[]): boolean {
  const actions = hooks.flatMap(({ selectors }) => selectors.flatMap(({ matchActions = [] }) => matchActions));
  return actions.some(({ action, argError = 0 }) => action === 'NotifyEnforcer' && argError !== 0);
}

function imageOf(call: string, position: CompiledHook['position'], mayOverride: boolean): CompiledHook {
  return {
    kind: 'enforcer',
    call,
    syscall: /^(\w+\/|__[a-z0-9]+_)?sys_/.test(call),
    ...(mayOverride ? { mayOverride } : {}),
    position,
    tags: [],
    selectors: 1,
    args: [],
    data: [],
    process: [],
    sets: [],
    // it is notified by hooks, which have the scopes
    scopes: [],
    changes: [],
    cel: { entry: [], returned: [] },
  };
}
