/** Compiles enforcers: each function where notifications take effect gets its own hook. */
import { makeEmptyHook } from '../../compiled/compiled-hook.js';
import type { CompiledHook } from '../../compiled/compiled-policy.js';
import { expandCall } from '../model/lists.js';
import type { Hook } from '../model/model.js';
import type { Analysis } from '../analyse.js';

export function compileEnforcers({ data, hooks, file, positions }: Analysis): CompiledHook[] {
  const mayOverride = canEnforcersOverride(hooks);
  const enforcers = new Map<string, CompiledHook>();
  for (const { calls = [] } of data.spec?.enforcers ?? []) {
    calls.forEach((written, i) => {
      const position = { file, ...positions.toPosition(positions.value(calls, i)) };
      for (const { name } of expandCall(data, written, false)) {
        if (!enforcers.has(name)) enforcers.set(name, makeEnforcer(name, position, mayOverride));
      }
    });
  }
  return [...enforcers.values()];
}

/** True if any notification requests an override of the call. */
export function canEnforcersOverride(hooks: readonly Hook[]): boolean {
  const actions = hooks.flatMap(({ selectors }) => selectors.flatMap(({ matchActions = [] }) => matchActions));
  return actions.some(({ action, argError = 0 }) => action === 'NotifyEnforcer' && argError !== 0);
}

function makeEnforcer(call: string, position: CompiledHook['position'], mayOverride: boolean): CompiledHook {
  // the hooks that notify the enforcer test the scopes
  return {
    ...makeEmptyHook('enforcer', call, position),
    syscall: /^(\w+\/|__[a-z0-9]+_)?sys_/.test(call),
    ...(mayOverride ? { mayOverride } : {}),
  };
}
