/** Determines the mode of a policy from the policy itself and from the options of the program that loads it. */
import type { LoadOptions, PolicyStatus } from '../../types/tracer.js';
import { PolytraceError } from '../errors.js';
import type { CompiledPolicy } from '../compiled/compiled-policy.js';

export type LoadedMode = PolicyStatus['mode'];

/** The option of the program has precedence, except over `monitor_only`: such a policy must never act. */
export function loadedMode(compiled: CompiledPolicy, { mode }: LoadOptions): LoadedMode {
  if (compiled.mode === 'monitor_only') return compiled.mode;
  return mode ?? compiled.mode ?? 'enforce';
}

/** Throws PolytraceError POLICY_MONITOR_ONLY. */
export function checkModeCanChange(name: string, mode: LoadedMode): void {
  if (mode !== 'monitor_only') return;
  throw new PolytraceError(
    'POLICY_MONITOR_ONLY',
    `the mode of the policy ${name} cannot be changed: its option policy-mode is monitor_only`,
    'change that option to monitor in the policy, then replace the policy',
  );
}
