/** Keeps the promise that no call is missed on kernels that can suspend a BPF program while it runs. */
import { formatHookPosition, enforcingSelectors } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { KernelError } from '../errors.js';
import { ScratchGuard } from '../wire/layout.gen.js';
import type { AttachContext } from './request.js';

/** The kernel can suspend programs of these mechanisms, and start them again on the same CPU. */
const REENTRANT: ReadonlySet<string> = new Set(['lsm', 'uprobe', 'uprobe.multi', 'usdt']);

/**
 * New kernels can suspend programs of these mechanisms, too: Linux 6.13 at tracepoints of system calls, Linux 7.0 at all
 * tracepoints. They do not start a program again while it is suspended on the same CPU.
 */
const SUSPENDABLE: ReadonlySet<string> = new Set(['raw_tracepoint', 'tp_btf']);

type GuardContext = Pick<AttachContext, 'features' | 'preemption'>;

/** Returns how the programs of a hook protect their scratch memory: enum scratch_guard in bpf/abi.h. */
export function scratchGuard(mechanism: string, { features, preemption }: GuardContext): number {
  if (!preemption.isPreemptible) return ScratchGuard.GUARD_NONE;
  const canDisable = features.preemptDisable.available && features.directRead.available;
  if (REENTRANT.has(mechanism)) return canDisable ? ScratchGuard.GUARD_PREEMPT : ScratchGuard.GUARD_LEVELS;
  const canSuspend = preemption.suspendsTracepoints && SUSPENDABLE.has(mechanism);
  return canDisable && canSuspend ? ScratchGuard.GUARD_PREEMPT : ScratchGuard.GUARD_NONE;
}

/** Returns true if a hook with this mechanism can miss calls on this kernel. */
function canMissCalls(mechanism: string, context: GuardContext): boolean {
  if (!context.preemption.isPreemptible) return false;
  return mechanism === 'fentry' || scratchGuard(mechanism, context) === ScratchGuard.GUARD_LEVELS;
}

/** Throws KernelError CALLS_MAY_BE_MISSED for a hook that enforces, unless the tracer allows missed calls. */
export function checkMissedCalls(hook: CompiledHook, mechanism: string, context: AttachContext): void {
  if (context.allowMissedCalls || enforcingSelectors(hook).length === 0) return;
  // an LSM program without free memory refuses the call
  if (mechanism === 'lsm' || !canMissCalls(mechanism, context)) return;
  throw new KernelError(
    'CALLS_MAY_BE_MISSED',
    `${formatHookPosition(hook)}: this kernel can suspend the program of ${hook.call} (preemption model ` +
      `${context.preemption.model}), and then does not run it for other tasks on the same CPU: calls could pass unchecked`,
    'boot with `preempt=voluntary` where the kernel has it, use an lsmhook, or open the tracer with `allowMissedCalls: true`',
  );
}
