/** Determines the mode of a policy from the policy itself and from the options of the program that loads it. */
import type { LoadOptions, PolicyStatus } from '../../types/tracer.js';
import { hasEnforcingAction, hasNetworkRequests } from '../compiled/compiled-hook.js';
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { PolytraceError } from '../errors.js';

export type LoadedMode = PolicyStatus['mode'];

/**
 * The option of the program has precedence, except over `monitor_only`: such a policy must never act. A policy without
 * an action that the mode decides about is `monitor_only`, too, as in Tetragon.
 */
export function loadedMode(compiled: CompiledPolicy, { mode }: LoadOptions): LoadedMode {
  if (compiled.mode === 'monitor_only' || !dependsOnMode(compiled)) return 'monitor_only';
  return mode ?? compiled.mode ?? 'enforce';
}

function dependsOnMode({ hooks }: CompiledPolicy): boolean {
  return hooks.some((hook) => hasEnforcingAction(hook) || hasNetworkRequests(hook));
}

/** Throws PolytraceError POLICY_MONITOR_ONLY. */
export function checkModeCanChange(name: string, mode: LoadedMode, compiled: CompiledPolicy): void {
  if (mode !== 'monitor_only') return;
  const [reason, remedy] =
    compiled.mode === 'monitor_only'
      ? [
          'its option policy-mode is monitor_only',
          'change that option to monitor in the policy, then replace the policy',
        ]
      : ['it only reports', 'give the policy an action that enforces, such as Sigkill, then replace it'];
  throw new PolytraceError(
    'POLICY_MONITOR_ONLY',
    `the mode of the policy ${name} cannot be changed: ${reason}`,
    remedy,
  );
}
