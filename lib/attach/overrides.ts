/** Decides whether a function can be overridden: from the checks before loading, and from the kernel's answer. */
import { hookPlace, matchesLate, overrides } from '../compiled/compiled-hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { NativeError } from '../native/native-error.js';
import { kernelDetail } from '../native/native-error.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';

const POSSIBLE =
  'functions called security_… can be overridden; with CONFIG_FUNCTION_ERROR_INJECTION (for kprobes also CONFIG_BPF_KPROBE_OVERRIDE) ' +
  'also system calls and the functions in /sys/kernel/debug/error_injection/list';

/** Throws KernelError OVERRIDE_NOT_POSSIBLE or OVERRIDE_ZERO. `returns` says that the hook reads the return value. */
export function checkOverride(hook: CompiledHook, mechanism: 'fentry' | 'kprobe', returns: boolean): void {
  if (!overrides(hook)) return;
  // With matchReturnActions, the actions of the entry do not wait for the return.
  if (matchesLate(hook) && hook.returnActions === undefined) {
    throw refusal(
      hook,
      'OVERRIDE_NOT_POSSIBLE',
      'the matching selector is known only after the function has run',
      'filter the return value in another hook',
    );
  }
  if (mechanism === 'kprobe' && returns) {
    throw refusal(
      hook,
      'OVERRIDE_NOT_POSSIBLE',
      'a kprobe that overrides a function cannot see its return',
      'remove `return: true`, or use a kernel with trampolines (`polytrace preflight`: fmod_ret)',
    );
  }
  if (mechanism === 'fentry' && (hook.actions ?? []).some(({ override }) => override === 0)) {
    throw refusal(
      hook,
      'OVERRIDE_ZERO',
      'a trampoline cannot override with 0, which means that the function runs',
      "use another argError, or open the tracer with `attach: 'kprobe'`, which supports 0 if the kernel has CONFIG_BPF_KPROBE_OVERRIDE",
    );
  }
}

/** The KernelError for an override that the kernel refuses; undefined if the error has another cause. */
export function overrideRefused(
  error: NativeError,
  hook: CompiledHook,
  kernel: Pick<KernelInfo, 'function'>,
): KernelError | undefined {
  if (!overrides(hook) && hook.mayOverride !== true) return undefined;
  const isRefused =
    (error.errno === 'EINVAL' && error.code === 'HOOK_ATTACH') ||
    /not modifiable|bpf_override_return|cannot use helper|unknown func/.test(error.log ?? '');
  if (!isRefused) return undefined;
  return refusal(hook, 'OVERRIDE_NOT_POSSIBLE', whyNot(kernel), POSSIBLE, kernelDetail(error));
}

/** The kernel contains these functions only if it was built with these options. */
const OPTIONS = {
  within_error_injection_list: 'CONFIG_FUNCTION_ERROR_INJECTION',
  bpf_override_return: 'CONFIG_BPF_KPROBE_OVERRIDE',
} as const;

function whyNot(kernel: Pick<KernelInfo, 'function'>): string {
  const missing = Object.entries(OPTIONS).flatMap(([name, option]) =>
    kernel.function(name) === undefined ? [option] : [],
  );
  if (missing.length === 0) return 'this kernel does not allow it for this function';
  return `this kernel is built without ${missing.join(' and ')}`;
}

function refusal(hook: CompiledHook, code: string, why: string, hint: string, detail = {}): KernelError {
  return new KernelError(code, `${hookPlace(hook)}: ${hook.call} cannot be overridden: ${why}`, hint, detail);
}
