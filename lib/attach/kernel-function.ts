/** Attaches a hook to one function of the kernel. It decides the mechanism and the number of programs. */
import type { HookStatus } from '../../types/tracer.js';
import { KernelError } from '../errors.js';
import { isRegister, overrides, seesReturn, valuePlace, valuesOf } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { isIa32 } from '../names/calls.js';
import type { NativeError } from '../native/native-error.js';
import { similarFunction } from '../policy/index.js';
import { loadHook, placesOf, toKernelError, type HookPlaces } from './load.js';
import { availableWays, noMechanism, wayOf, type Mechanism } from './mechanisms.js';
import { checkOverride, overrideRefused } from './overrides.js';
import { checkPrototype, prototypeOf, type Prototype } from './prototype.js';
import type { Attached, AttachRequest } from './request.js';
import { kernelName } from './targets.js';

interface FunctionTarget {
  readonly functionName: string;
  /** null if the kernel's types do not contain the function. */
  readonly prototype: Prototype | null;
  readonly places: HookPlaces;
}

export async function attachKernelFunction(request: AttachRequest): Promise<Attached | undefined> {
  const { hook, context, kernel } = request;
  const functionName = kernelName(hook.call, hook.syscall, kernel);
  const prototype = prototypeOf(functionName, kernel);
  const isOptional = hook.ignoreCallNotFound === true;
  if (prototype === null && isOptional && kernel.attachable(functionName) === false) return undefined;
  checkPrototype(hook, functionName, prototype);
  const target = { functionName, prototype, places: placesOf(request, kernel.function(functionName)) };
  let failure: KernelError | undefined;
  for (const mechanism of mechanisms(request, prototype)) {
    try {
      return await attachBy(mechanism, request, target);
    } catch (error) {
      failure ??=
        overrideRefused(error as NativeError, hook, kernel) ??
        toKernelError(error as NativeError, hook, `the function ${functionName}`);
    }
  }
  if (isOptional && (failure === undefined || failure.code === 'HOOK_NOT_FOUND')) return undefined;
  throw suggesting(failure ?? noMechanism(hook, functionName, prototype, context), request);
}

/** Adds what was probably meant, if the kernel does not have the function. */
function suggesting(error: KernelError, { hook, kernel }: AttachRequest): KernelError {
  const similar = error.code === 'HOOK_NOT_FOUND' ? similarFunction(hook.call, hook.syscall, kernel) : undefined;
  if (similar === undefined) return error;
  return new KernelError(error.code, error.message, similar, error);
}

/** The mechanisms in the order in which they are tried. */
function mechanisms({ hook, context }: AttachRequest, prototype: Prototype | null): readonly Mechanism[] {
  const register = valuesOf(hook).find(isRegister);
  if (register !== undefined && wayOf(hook, context) === 'fentry') {
    throw new KernelError(
      'REGISTERS_NEED_KPROBE',
      `${valuePlace(hook, register)}: only a kprobe can read registers, but the tracer was opened with \`attach: 'fentry'\``,
      "open it with `attach: 'auto'`",
    );
  }
  const ways = availableWays(wayOf(hook, context), prototype, context);
  return register === undefined ? ways : ways.filter((way) => way === 'kprobe');
}

/**
 * True for functions of the LSM layer. They do not change their arguments, so a program at the return reads the same
 * values.
 */
function leavesArgumentsAlone(hook: CompiledHook): boolean {
  return hook.call.startsWith('security_');
}

async function attachBy(mechanism: Mechanism, request: AttachRequest, target: FunctionTarget): Promise<Attached> {
  const { hook } = request;
  const { functionName, prototype, places } = target;
  const returns = seesReturn(hook);
  checkOverride(hook, mechanism, returns);
  const override = overrides(hook);
  const atBoth = override || hook.returnActions !== undefined || hook.returnedSocket !== undefined;
  const pair = returns && (mechanism === 'kprobe' || atBoth || !leavesArgumentsAlone(hook));
  await loadHook(request, {
    attachment: {
      mechanism,
      target: functionName,
      entry: !returns || pair,
      return: returns,
      overrides: override && mechanism === 'fentry',
    },
    params: prototype?.params ?? 0,
    ia32: isIa32(functionName),
    places,
  });
  return { functionName, functions: [functionName], attach: attachName(mechanism, { returns, pair, override }) };
}

function attachName(
  mechanism: Mechanism,
  { returns, pair, override }: Readonly<Record<'returns' | 'pair' | 'override', boolean>>,
): HookStatus['attach'] {
  if (mechanism === 'kprobe') return returns ? 'kprobe+kretprobe' : 'kprobe';
  if (override) return pair ? 'fmod_ret+fexit' : 'fmod_ret';
  if (pair) return 'fentry+fexit';
  return returns ? 'fexit' : 'fentry';
}
