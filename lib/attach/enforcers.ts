/** How an enforcer is attached here: by which mechanism, and whether the function can be overridden. */
import type { KernelInfo } from '../../types/kernel.js';
import type { KernelError } from '../errors.js';
import type { NativeError } from '../native/binding.js';
import type { HookImage } from '../image/image.js';
import { encodeEnforcer } from '../wire/encode/actions.js';
import { notifications } from '../wire/encode/maps.js';
import { toKernelError, type AttachContext, type Attached } from './load.js';
import { noMechanism, type Mechanism } from './mechanisms.js';
import { overrideRefused } from './overrides.js';
import { prototypeOf, type Prototype } from './prototype.js';
import { kernelName } from './targets.js';

export function attachEnforcer(hook: HookImage, id: number, context: AttachContext, kernel: KernelInfo): Attached {
  const functionName = kernelName(hook.call, hook.syscall, kernel);
  const prototype = prototypeOf(functionName, kernel);
  let failure: KernelError | undefined;
  for (const mechanism of mechanisms(prototype, context)) {
    try {
      return attachBy(mechanism, hook, id, functionName, context);
    } catch (error) {
      failure ??=
        overrideRefused(error as NativeError, hook, kernel) ??
        toKernelError(error as NativeError, hook, `the function ${functionName}`);
    }
  }
  throw failure ?? noMechanism(hook, functionName, prototype, context);
}

function mechanisms(prototype: Prototype | null, { attach, features }: AttachContext): Mechanism[] {
  const result: Mechanism[] = [];
  if (attach !== 'kprobe' && features.fentry === '' && prototype !== null) result.push('fentry');
  if (attach !== 'fentry' && features.kprobe === '') result.push('kprobe');
  return result;
}

function attachBy(
  mechanism: Mechanism,
  hook: HookImage,
  id: number,
  functionName: string,
  { session, features, enforcer, countHits }: AttachContext,
): Attached {
  const overrides = hook.mayOverride === true;
  session.addHook({
    id,
    object: `enforcer_${mechanism}_${features.directRead === '' ? 'direct' : 'probe'}`,
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
