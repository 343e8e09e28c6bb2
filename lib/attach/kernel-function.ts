/** Attaches a hook to one function of the kernel. Chooses the mechanism and the number of programs. */
import type { HookStatus } from '../../types/tracer.js';
import { KernelError } from '../errors.js';
import {
  isRegister,
  hasDuration,
  hasModifyingAction,
  hasReturnProgram,
  formatValuePosition,
  hookValues,
} from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { isIa32Function } from '../names/syscall-functions.js';
import type { NativeError } from '../native/native-error.js';
import { suggestFunction } from '../policy/index.js';
import { loadHook, locateValues, toKernelError, type ValueLocations } from './load.js';
import { availableMechanisms, noMechanismError, wantedMechanism, type Mechanism } from './mechanisms.js';
import { checkOverride, toOverrideError } from './overrides.js';
import { checkPrototype, findPrototype, type Prototype } from './prototype.js';
import { checkMissedCalls } from './preemption.js';
import { findLsmHook } from './lsm-hooks.js';
import type { AttachResult, AttachRequest } from './request.js';
import { kernelFunctionName } from './targets.js';

interface FunctionTarget {
  readonly functionName: string;
  /** null if the kernel BTF does not contain the function. */
  readonly prototype: Prototype | null;
  readonly valueLocations: ValueLocations;
}

export async function attachKernelFunction(request: AttachRequest): Promise<AttachResult | undefined> {
  const { hook, context, kernel } = request;
  const functionName = kernelFunctionName(hook.call, hook.syscall, kernel);
  const prototype = findPrototype(functionName, kernel);
  const isOptional = hook.ignoreCallNotFound === true;
  if (prototype === null && isOptional && kernel.attachable(functionName) === false) return undefined;
  checkPrototype(hook, functionName, prototype);
  const target = {
    functionName,
    prototype,
    valueLocations: await locateValues(request, kernel.function(functionName)),
  };
  let failure: KernelError | undefined;
  for (const mechanism of candidateMechanisms(request, prototype)) {
    try {
      return await (mechanism === 'lsm'
        ? attachAsLsm(request, functionName)
        : attachFunctionWith(mechanism, request, target));
    } catch (error) {
      const explained =
        toOverrideError(error as NativeError, hook, kernel) ??
        toKernelError(error as NativeError, hook, `the function ${functionName}`);
      failure = failure === undefined || explained.code === 'CALLS_MAY_BE_MISSED' ? explained : failure;
    }
  }
  if (isOptional && (failure === undefined || failure.code === 'HOOK_NOT_FOUND')) return undefined;
  throw withSuggestion(failure ?? noMechanismError(hook, functionName, prototype, context), request);
}

/** Adds a function with a similar name as the hint, if the kernel does not have the function. */
function withSuggestion(error: KernelError, { hook, kernel }: AttachRequest): KernelError {
  const similar = error.code === 'HOOK_NOT_FOUND' ? suggestFunction(hook.call, hook.syscall, kernel) : undefined;
  if (similar === undefined) return error;
  return new KernelError(error.code, error.message, similar, error);
}

/** Returns the mechanisms in the order in which they are tried. */
function candidateMechanisms(request: AttachRequest, prototype: Prototype | null): readonly (Mechanism | 'lsm')[] {
  const { hook, context } = request;
  const register = hookValues(hook).find(isRegister);
  if (register !== undefined && wantedMechanism(hook, context) === 'fentry') {
    throw new KernelError(
      'REGISTERS_NEED_KPROBE',
      `${formatValuePosition(hook, register)}: only a kprobe can read registers, but the tracer was opened with \`attach: 'fentry'\``,
      "open it with `attach: 'auto'`",
    );
  }
  const available = availableMechanisms(wantedMechanism(hook, context), prototype, context);
  if (register !== undefined) return available.filter((mechanism) => mechanism === 'kprobe');
  return overridesAsLsm(request) ? ['lsm', ...available] : available;
}

/**
 * True if an LSM program overrides the function instead of a trampoline, because the kernel can suspend a program on a
 * trampoline and then does not run it for other tasks.
 */
function overridesAsLsm({ hook, context, kernel }: AttachRequest): boolean {
  return (
    context.preemption.isPreemptible &&
    context.features.lsm.available &&
    wantedMechanism(hook, context) === 'auto' &&
    hasModifyingAction(hook) &&
    !hasReturnProgram(hook) &&
    findLsmHook(hook.call, kernel) !== undefined
  );
}

/** Attaches to the LSM hook that the function calls. Events keep the name of the function. */
async function attachAsLsm(request: AttachRequest, functionName: string): Promise<AttachResult> {
  const { hook, kernel } = request;
  const target = findLsmHook(hook.call, kernel) ?? '';
  const prototype = kernel.function(`bpf_lsm_${target}`);
  await loadHook(request, {
    attachment: { mechanism: 'lsm', target, entry: true, return: false },
    params: prototype?.params.length ?? 0,
    valueLocations: await locateValues(request, prototype),
  });
  return { functionName, functions: [functionName], attach: 'lsm' };
}

/**
 * True for functions of the LSM layer. They do not change their arguments, so a program at the return reads the same values
 * as a program at the entry.
 */
function keepsArguments(hook: CompiledHook): boolean {
  return hook.call.startsWith('security_');
}

async function attachFunctionWith(
  mechanism: Mechanism,
  request: AttachRequest,
  target: FunctionTarget,
): Promise<AttachResult> {
  const { hook } = request;
  const { functionName, prototype, valueLocations } = target;
  const returns = hasReturnProgram(hook);
  checkMissedCalls(hook, mechanism, request.context);
  checkOverride(hook, mechanism, returns);
  const override = hasModifyingAction(hook);
  const atBoth = override || hook.returnActions !== undefined || hook.returnedSocket !== undefined || hasDuration(hook);
  const pair = returns && (mechanism === 'kprobe' || atBoth || !keepsArguments(hook));
  await loadHook(request, {
    attachment: {
      mechanism,
      target: functionName,
      entry: !returns || pair,
      return: returns,
      overrides: override && mechanism === 'fentry',
    },
    params: prototype?.params ?? 0,
    ia32: isIa32Function(functionName),
    valueLocations,
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
