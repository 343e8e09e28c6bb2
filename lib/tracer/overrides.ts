/** Where a function can be overridden: what the kernel says of it, and what can be known before it is asked. */
import { KernelError } from '../errors.js';
import type { NativeError } from '../native/binding.js';
import { kernelDetail } from '../native/binding.js';
import type { HookImage } from '../policy/image.js';
import { matchesLate, overrides } from '../wire/actions.js';

const POSSIBLE =
  'possible for system calls, for functions called security_…, and for those in /sys/kernel/debug/error_injection/list';

/** Throws KernelError OVERRIDE_NOT_POSSIBLE or OVERRIDE_ZERO. `returns`: the hook reads what the function returns. */
export function checkOverride(hook: HookImage, mechanism: 'fentry' | 'kprobe', returns: boolean): void {
  if (!overrides(hook)) return;
  if (matchesLate(hook)) {
    throw refusal(
      hook,
      'OVERRIDE_NOT_POSSIBLE',
      'which selector matches is known only when the function has run',
      'filter the return value in another hook',
    );
  }
  if (mechanism === 'kprobe' && returns) {
    throw refusal(
      hook,
      'OVERRIDE_NOT_POSSIBLE',
      'a kprobe that overrides a function does not see it return',
      'remove `return: true`, or use a kernel with trampolines (`polytrace preflight`: fmod_ret)',
    );
  }
  if (mechanism === 'fentry' && (hook.actions ?? []).some(({ override }) => override === 0)) {
    throw refusal(
      hook,
      'OVERRIDE_ZERO',
      'a trampoline cannot override with 0, which means that the function runs',
      "use another argError, or open the tracer with `attach: 'kprobe'`, which can where the kernel has CONFIG_BPF_KPROBE_OVERRIDE",
    );
  }
}

/** The kernel's own refusal, when that is what it is. */
export function overrideRefused(error: NativeError, hook: HookImage): KernelError | undefined {
  if (!overrides(hook) || error.errno !== 'EINVAL') return undefined;
  const isRefused = error.code === 'HOOK_ATTACH' || /not modifiable|bpf_override_return/.test(error.log ?? '');
  if (!isRefused) return undefined;
  return refusal(hook, 'OVERRIDE_NOT_POSSIBLE', 'this kernel does not allow it', POSSIBLE, kernelDetail(error));
}

function refusal(hook: HookImage, code: string, why: string, hint: string, detail = {}): KernelError {
  const { file, line, column } = hook.position;
  return new KernelError(code, `${file}:${line}:${column}: ${hook.call} cannot be overridden: ${why}`, hint, detail);
}
