/** The two ways onto a function of the kernel, and what is said where there is none. */
import { KernelError } from '../errors.js';
import { missingReason } from '../native/preflight.js';
import type { HookImage } from '../image/image.js';
import { hookPlace, type AttachContext } from './load.js';
import type { Prototype } from './prototype.js';

export type Mechanism = 'fentry' | 'kprobe';

/** `fentries` are what they say, however the tracer was opened. */
export function wayOf(hook: HookImage, { attach }: AttachContext): AttachContext['attach'] {
  return hook.kind === 'fentry' ? 'fentry' : attach;
}

export function noMechanism(
  hook: HookImage,
  functionName: string,
  prototype: Prototype | null,
  context: AttachContext,
): KernelError {
  const { features } = context;
  const attach = wayOf(hook, context);
  const wanted: readonly Mechanism[] = attach === 'auto' ? ['fentry', 'kprobe'] : [attach];
  const available = wanted.some((name) => features[name] === '');
  if (available && prototype === null) {
    return new KernelError(
      'HOOK_NOT_FOUND',
      `${hookPlace(hook)}: this kernel's BTF has no function ${functionName}`,
      'check the name, and whether the compiler inlined it; `ignore: {callNotFound: true}` makes the hook optional',
    );
  }
  const why = wanted.map((name) => `${name} (${missingReason(name, features[name])})`).join(' and ');
  return new KernelError(
    'NO_ATTACH_MECHANISM',
    `${hookPlace(hook)}: ${functionName} cannot be attached: the kernel or the privileges do not allow ${why}`,
    '`polytrace preflight` tells what is missing',
  );
}
