/** Checks a hook against the prototype of its function: the parameters and the return value. */
import { formatHookPosition, isReadAtReturn, formatValuePosition, hookValues } from '../compiled/compiled-hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';

export interface Prototype {
  readonly params: number;
  readonly returns: boolean;
}

/** Returns null if the kernel BTF does not contain the function. */
export function findPrototype(name: string, kernel: KernelInfo): Prototype | null {
  const found = kernel.function(name);
  return found === undefined ? null : { params: found.params.length, returns: found.returns.kind !== 'void' };
}

/** Throws KernelError RETURN_OF_VOID or ARG_BEYOND_PROTOTYPE. */
export function checkPrototype(hook: CompiledHook, functionName: string, prototype: Prototype | null): void {
  if (prototype === null) return;
  if (readsReturn(hook) && !prototype.returns) {
    throw new KernelError(
      'RETURN_OF_VOID',
      `${formatHookPosition(hook)}: ${functionName} returns nothing`,
      'remove `return` and `returnArg`, and give the size of a buffer with sizeArgIndex',
    );
  }
  if (hook.syscall) return;
  const beyond = hook.args.find((arg) => arg.source === undefined && arg.index >= prototype.params);
  if (beyond !== undefined) {
    throw new KernelError(
      'ARG_BEYOND_PROTOTYPE',
      `${formatValuePosition(hook, beyond)}: ${functionName} has ${prototype.params} parameters, so there is no index ${beyond.index}`,
      'indexes count from 0',
    );
  }
}

/** True if the hook reads the return value, or uses it as the size of a buffer. */
function readsReturn(hook: CompiledHook): boolean {
  return (
    hook.returnArg !== undefined ||
    hookValues(hook).some((value) => isReadAtReturn(value) && value.returnCopy !== true && value.source !== 'duration')
  );
}
