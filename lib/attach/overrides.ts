/** Checks whether a function can be overridden: before loading, and from the kernel's error. */
import { formatHookPosition, isMatchedAtReturn, hasModifyingAction } from '../compiled/compiled-hook.js';
import type { ErrorCode } from '../../types/codes.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { NativeError } from '../native/native-error.js';
import { kernelDetail } from '../native/native-error.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';

const POSSIBLE =
  'functions called security_… can be overridden; with CONFIG_FUNCTION_ERROR_INJECTION (for kprobes also CONFIG_BPF_KPROBE_OVERRIDE) ' +
  'also system calls and the functions in /sys/kernel/debug/error_injection/list';

/** Throws KernelError OVERRIDE_NOT_POSSIBLE or OVERRIDE_ZERO. `returns` is true if a program runs at the return. */
export function checkOverride(hook: CompiledHook, mechanism: 'fentry' | 'kprobe', returns: boolean): void {
  if (!hasModifyingAction(hook)) return;
  // With matchReturnActions, the actions of the entry do not wait for the return.
  if (isMatchedAtReturn(hook) && hook.returnActions === undefined) {
    throw overrideError(
      hook,
      'OVERRIDE_NOT_POSSIBLE',
      'the matching selector is known only after the function has run',
      'filter the return value in another hook',
    );
  }
  if (mechanism === 'kprobe' && returns) {
    throw overrideError(
      hook,
      'OVERRIDE_NOT_POSSIBLE',
      'a kprobe that overrides a function cannot see its return',
      'remove `return: true`, or use a kernel with trampolines (`polytrace preflight`: fmod_ret)',
    );
  }
  if (mechanism === 'fentry' && (hook.actions ?? []).some(({ override }) => override === 0)) {
    throw overrideError(
      hook,
      'OVERRIDE_ZERO',
      'a trampoline cannot override with 0, which means that the function runs',
      "use another argError, or open the tracer with `attach: 'kprobe'`, which supports 0 if the kernel has CONFIG_BPF_KPROBE_OVERRIDE",
    );
  }
}

/** Returns the KernelError for an override that the kernel refuses; undefined if the error has another cause. */
export function toOverrideError(
  error: NativeError,
  hook: CompiledHook,
  kernel: Pick<KernelInfo, 'function'>,
): KernelError | undefined {
  if (!hasModifyingAction(hook) && hook.mayOverride !== true) return undefined;
  const isRefused =
    (error.errno === 'EINVAL' && error.code === 'HOOK_ATTACH') ||
    /not modifiable|bpf_override_return|cannot use helper|unknown func/.test(error.log ?? '');
  if (!isRefused) return undefined;
  return overrideError(hook, 'OVERRIDE_NOT_POSSIBLE', overrideFailureReason(kernel), POSSIBLE, kernelDetail(error));
}

/** The kernel contains these functions only if it was built with these options. */
const OPTIONS = {
  within_error_injection_list: 'CONFIG_FUNCTION_ERROR_INJECTION',
  bpf_override_return: 'CONFIG_BPF_KPROBE_OVERRIDE',
} as const;

function overrideFailureReason(kernel: Pick<KernelInfo, 'function'>): string {
  const missing = Object.entries(OPTIONS).flatMap(([name, option]) =>
    kernel.function(name) === undefined ? [option] : [],
  );
  if (missing.length === 0) return 'this kernel does not allow it for this function';
  return `this kernel is built without ${missing.join(' and ')}`;
}

function overrideError(hook: CompiledHook, code: ErrorCode, why: string, hint: string, detail = {}): KernelError {
  return new KernelError(code, `${formatHookPosition(hook)}: ${hook.call} cannot be overridden: ${why}`, hint, detail);
}
