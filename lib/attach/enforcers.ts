/** Attaches an enforcer: tries the available mechanisms until the kernel accepts one. */
import type { KernelError } from '../errors.js';
import type { NativeError } from '../native/native-error.js';
import { objectName } from '../native/features.js';
import { encodeEnforcer } from '../wire/encode/actions.js';
import { encodeNotificationsMap } from '../wire/encode/maps.js';
import { toKernelError } from './load.js';
import { availableMechanisms, noMechanismError, type Mechanism } from './mechanisms.js';
import { toOverrideError } from './overrides.js';
import { findPrototype } from './prototype.js';
import type { AttachResult, AttachRequest } from './request.js';
import { kernelFunctionName } from './targets.js';

export async function attachEnforcer(request: AttachRequest): Promise<AttachResult> {
  const { hook, context, kernel } = request;
  const functionName = kernelFunctionName(hook.call, hook.syscall, kernel);
  const prototype = findPrototype(functionName, kernel);
  let failure: KernelError | undefined;
  for (const mechanism of availableMechanisms(context.attach, prototype, context)) {
    try {
      return await attachEnforcerWith(mechanism, request, functionName);
    } catch (error) {
      failure ??=
        toOverrideError(error as NativeError, hook, kernel) ??
        toKernelError(error as NativeError, hook, `the function ${functionName}`);
    }
  }
  throw failure ?? noMechanismError(hook, functionName, prototype, context);
}

async function attachEnforcerWith(
  mechanism: Mechanism,
  { hook, id, context }: AttachRequest,
  functionName: string,
): Promise<AttachResult> {
  const { session, features, enforcer, countHits, optimize } = context;
  const overrides = hook.mayOverride === true;
  await session.addHook({
    id,
    object: objectName(`enforcer_${mechanism}`, features),
    mechanism,
    target: functionName,
    entry: true,
    return: false,
    overrides,
    optimize,
    config: encodeEnforcer(id, overrides, countHits),
    code: [],
    maps: [encodeNotificationsMap(enforcer === id ? undefined : enforcer)],
  });
  return {
    functionName,
    functions: [functionName],
    attach: mechanism === 'fentry' && overrides ? 'fmod_ret' : mechanism,
  };
}
