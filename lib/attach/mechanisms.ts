/** Selects from the two mechanisms for one function of the kernel, and makes the error if none is available. */
import { KernelError } from '../errors.js';
import { formatHookPosition } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { missingReason } from '../native/preflight.js';
import type { Prototype } from './prototype.js';
import type { AttachContext } from './request.js';

export type Mechanism = 'fentry' | 'kprobe';

/** Hooks of `fentries` always use fentry, whatever mechanism the tracer was opened with. */
export function wantedMechanism(
  hook: CompiledHook,
  { attach }: Pick<AttachContext, 'attach'>,
): AttachContext['attach'] {
  return hook.kind === 'fentry' ? 'fentry' : attach;
}

/**
 * Returns the available mechanisms in the order in which they are tried. A trampoline needs a prototype, and is cheaper.
 * A preemptible kernel can suspend a program on a trampoline and then skips it for other tasks: there, kprobe is first.
 */
export function availableMechanisms(
  attach: AttachContext['attach'],
  prototype: Prototype | null,
  { features, preemption }: Pick<AttachContext, 'features' | 'preemption'>,
): readonly Mechanism[] {
  const result: Mechanism[] = [];
  if (attach !== 'kprobe' && features.fentry.available && prototype !== null) result.push('fentry');
  if (attach !== 'fentry' && features.kprobe.available) result.push('kprobe');
  return preemption.isPreemptible ? result.reverse() : result;
}

export function noMechanismError(
  hook: CompiledHook,
  functionName: string,
  prototype: Prototype | null,
  context: Pick<AttachContext, 'attach' | 'features'>,
): KernelError {
  const { features } = context;
  const attach = wantedMechanism(hook, context);
  const wanted: readonly Mechanism[] = attach === 'auto' ? ['fentry', 'kprobe'] : [attach];
  if (wanted.some((name) => features[name].available) && prototype === null) {
    return new KernelError(
      'HOOK_NOT_FOUND',
      `${formatHookPosition(hook)}: this kernel's BTF has no function ${functionName}`,
      'check the name, and whether the compiler inlined it; `ignore: {callNotFound: true}` makes the hook optional',
    );
  }
  const why = wanted.map((name) => `${name} (${missingReason(name, features)})`).join(' and ');
  return notAvailableError(hook, functionName, why);
}

/** `why` contains the missing features, each with its reason. */
export function notAvailableError(hook: CompiledHook, name: string, why: string): KernelError {
  return new KernelError(
    'NO_ATTACH_MECHANISM',
    `${formatHookPosition(hook)}: ${name} cannot be attached: the kernel or the privileges do not allow ${why}`,
    '`polytrace preflight` shows what is missing',
  );
}
