/** Attaches an enforcer. If it has to override the function, it uses the mechanism that can do so. */
import type { KernelError } from '../errors.js';
import type { NativeError } from '../native/native-error.js';
import { objectName } from '../native/features.js';
import { encodeEnforcer } from '../wire/encode/actions.js';
import { notifications } from '../wire/encode/maps.js';
import { toKernelError } from './load.js';
import { availableWays, noMechanism, type Mechanism } from './mechanisms.js';
import { overrideRefused } from './overrides.js';
import { prototypeOf } from './prototype.js';
import type { Attached, AttachRequest } from './request.js';
import { kernelName } from './targets.js';

export async function attachEnforcer(request: AttachRequest): Promise<Attached> {
  const { hook, context, kernel } = request;
  const functionName = kernelName(hook.call, hook.syscall, kernel);
  const prototype = prototypeOf(functionName, kernel);
  let failure: KernelError | undefined;
  for (const mechanism of availableWays(context.attach, prototype, context)) {
    try {
      return await attachBy(mechanism, request, functionName);
    } catch (error) {
      failure ??=
        overrideRefused(error as NativeError, hook, kernel) ??
        toKernelError(error as NativeError, hook, `the function ${functionName}`);
    }
  }
  throw failure ?? noMechanism(hook, functionName, prototype, context);
}

async function attachBy(
  mechanism: Mechanism,
  { hook, id, context }: AttachRequest,
  functionName: string,
): Promise<Attached> {
  const { session, features, enforcer, countHits } = context;
  const overrides = hook.mayOverride === true;
  await session.addHook({
    id,
    object: objectName(`enforcer_${mechanism}`, features),
    mechanism,
    target: functionName,
    entry: true,
    return: false,
    overrides,
    config: encodeEnforcer(id, overrides, countHits),
    code: [],
    maps: [notifications(enforcer === id ? undefined : enforcer)],
  });
  return {
    functionName,
    functions: [functionName],
    attach: mechanism === 'fentry' && overrides ? 'fmod_ret' : mechanism,
  };
}
