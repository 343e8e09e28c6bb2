/** The parameters and the return value of a function, as far as attaching needs them. */
import { hookPlace, isLate, valuePlace, valuesOf } from '../compiled/compiled-hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';

export interface Prototype {
  readonly params: number;
  readonly returns: boolean;
}

/** Returns null if the kernel's types do not contain the function. */
export function prototypeOf(name: string, kernel: KernelInfo): Prototype | null {
  const found = kernel.function(name);
  return found === undefined ? null : { params: found.params.length, returns: found.returns.kind !== 'void' };
}

/** Throws KernelError RETURN_OF_VOID or ARG_BEYOND_PROTOTYPE. */
export function checkPrototype(hook: CompiledHook, functionName: string, prototype: Prototype | null): void {
  if (prototype === null) return;
  if (readsReturn(hook) && !prototype.returns) {
    throw new KernelError(
      'RETURN_OF_VOID',
      `${hookPlace(hook)}: ${functionName} returns nothing`,
      'remove `return` and `returnArg`, and give the size of a buffer with sizeArgIndex',
    );
  }
  if (hook.syscall) return;
  const beyond = hook.args.find((arg) => arg.source === undefined && arg.index >= prototype.params);
  if (beyond !== undefined) {
    throw new KernelError(
      'ARG_BEYOND_PROTOTYPE',
      `${valuePlace(hook, beyond)}: ${functionName} has ${prototype.params} parameters, so there is no index ${beyond.index}`,
      'indexes count from 0',
    );
  }
}

/** True if the hook reads the return value, or uses it as the size of a buffer. */
function readsReturn(hook: CompiledHook): boolean {
  return hook.returnArg !== undefined || valuesOf(hook).some((value) => isLate(value) && value.returnCopy !== true);
}
