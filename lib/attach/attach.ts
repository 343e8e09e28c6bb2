/** How a hook is attached here. Of kernel functions: which one, by which mechanism, in how many programs. */
import { KernelError } from '../errors.js';
import type { NativeError } from '../native/binding.js';
import type { HookImage } from '../image/image.js';
import type { KernelInfo } from '../../types/kernel.js';
import type { HookStatus } from '../../types/tracer.js';
import { isIa32 } from '../names/calls.js';
import { valuesOf } from '../wire/encode/context.js';
import { overrides } from '../wire/encode/actions.js';
import { isLate } from '../wire/reads.js';
import { attachElsewhere } from './elsewhere.js';
import { attachFunctions } from './functions.js';
import { attachEnforcer } from './enforcers.js';
import { loadHook, placesOf, toKernelError, type AttachContext, type Attached, type HookPlaces } from './load.js';
import { noMechanism, wayOf, type Mechanism } from './mechanisms.js';
import { checkOverride, overrideRefused } from './overrides.js';
import { checkPrototype, prototypeOf, type Prototype } from './prototype.js';
import { kernelName, type Target } from './targets.js';
import { isRegister, placeOf } from './values.js';

/** Returns undefined when the function is not there and the policy allows that. */
export function attachHook(
  { image: hook, functions }: Target,
  id: number,
  processBits: readonly number[],
  context: AttachContext,
  kernel: KernelInfo,
): Attached | undefined {
  if (hook.kind === 'enforcer') return attachEnforcer(hook, id, context, kernel);
  if (functions !== undefined) return attachFunctions(hook, functions, id, processBits, context, kernel);
  if (['kprobe', 'fentry', 'loader'].includes(hook.kind)) return attachFunction(hook, id, processBits, context, kernel);
  return attachElsewhere(hook, id, processBits, context, kernel);
}

function attachFunction(
  hook: HookImage,
  id: number,
  processBits: readonly number[],
  context: AttachContext,
  kernel: KernelInfo,
): Attached | undefined {
  const functionName = kernelName(hook.call, hook.syscall, kernel);
  const prototype = prototypeOf(functionName, kernel);
  if (prototype === null && hook.ignoreCallNotFound === true && kernel.attachable(functionName) === false) {
    return undefined;
  }
  checkPrototype(hook, functionName, prototype);
  const places = placesOf(hook, kernel.function(functionName), context, kernel);
  let failure: KernelError | undefined;
  for (const mechanism of mechanisms(hook, context, prototype)) {
    try {
      return attachBy(mechanism, hook, id, functionName, prototype, processBits, places, context);
    } catch (error) {
      failure ??=
        overrideRefused(error as NativeError, hook, kernel) ??
        toKernelError(error as NativeError, hook, `the function ${functionName}`);
    }
  }
  if (hook.ignoreCallNotFound === true && (failure === undefined || failure.code === 'HOOK_NOT_FOUND')) {
    return undefined;
  }
  throw failure ?? noMechanism(hook, functionName, prototype, context);
}

function mechanisms(hook: HookImage, context: AttachContext, prototype: Prototype | null): Mechanism[] {
  const { features } = context;
  const attach = wayOf(hook, context);
  const register = valuesOf(hook).find(isRegister);
  if (register !== undefined && attach === 'fentry') {
    throw new KernelError(
      'REGISTERS_NEED_KPROBE',
      `${placeOf(hook, register)}: registers can be read by a kprobe only, and the tracer was opened with \`attach: 'fentry'\``,
      "open it with `attach: 'auto'`",
    );
  }
  const result: Mechanism[] = [];
  if (attach !== 'kprobe' && features.fentry === '' && prototype !== null && register === undefined) {
    result.push('fentry');
  }
  if (attach !== 'fentry' && features.kprobe === '') result.push('kprobe');
  return result;
}

/** Functions of the LSM layer only look at what they are given: one program at the return sees it as the entry would. */
function leavesArgumentsAlone(hook: HookImage): boolean {
  return hook.call.startsWith('security_');
}

function attachBy(
  mechanism: Mechanism,
  hook: HookImage,
  id: number,
  functionName: string,
  prototype: Prototype | null,
  processBits: readonly number[],
  places: HookPlaces,
  context: AttachContext,
): Attached {
  // also a buffer that the function fills is there only when it returns
  const returns = valuesOf(hook).some(isLate) || hook.returnArg !== undefined;
  checkOverride(hook, mechanism, returns);
  const override = overrides(hook);
  const atBoth = override || hook.returnActions !== undefined || hook.returnedSocket !== undefined;
  const pair = returns && (mechanism === 'kprobe' || atBoth || !leavesArgumentsAlone(hook));
  const attachment = {
    mechanism,
    target: functionName,
    entry: !returns || pair,
    return: returns,
    overrides: override && mechanism === 'fentry',
  };
  loadHook(
    hook,
    id,
    attachment,
    { params: prototype?.params ?? 0, processBits, ia32: isIa32(functionName) },
    places,
    context,
  );
  return { functionName, functions: [functionName], attach: attachName(mechanism, returns, pair, override) };
}

function attachName(mechanism: Mechanism, returns: boolean, pair: boolean, override: boolean): HookStatus['attach'] {
  if (mechanism === 'kprobe') return returns ? 'kprobe+kretprobe' : 'kprobe';
  if (override) return pair ? 'fmod_ret+fexit' : 'fmod_ret';
  if (pair) return 'fentry+fexit';
  return returns ? 'fexit' : 'fentry';
}
