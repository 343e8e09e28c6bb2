/** Attaches a hook of a kind that has only one mechanism: tracepoints, LSM hooks, functions of programs. */
import type { FunctionInfo } from '../../types/kernel.js';
import type { HookStatus } from '../../types/tracer.js';
import { KernelError } from '../errors.js';
import type { NativeError } from '../native/native-error.js';
import type { NativeFeatures } from '../native/features.js';
import { missingReason } from '../native/preflight.js';
import type { ProgramChanges } from '../wire/encode/context.js';
import { checkHash, toHashError } from './ima.js';
import { loadHook, locateValues, toKernelError, type Attachment } from './load.js';
import { notAvailableError } from './mechanisms.js';
import { checkMissedCalls } from './preemption.js';
import type { AttachResult, AttachRequest } from './request.js';

export interface SingleTarget {
  readonly attachment: Attachment;
  readonly attach: HookStatus['attach'];
  /** The name of the target in messages and lost events. */
  readonly name: string;
  readonly feature: keyof NativeFeatures;
  readonly prototype?: FunctionInfo | undefined;
  /** Number of attach points of a static probe. */
  readonly probePoints?: number;
  readonly programChanges?: ProgramChanges | undefined;
  /** Explains an error that only this kind of hook can have. */
  readonly explainError?: (error: NativeError) => KernelError | undefined;
}

/** Calls `attach`. Returns undefined if the target does not exist and the policy allows that. */
export async function skipIfMissing(
  { hook }: AttachRequest,
  attach: () => Promise<AttachResult | undefined>,
): Promise<AttachResult | undefined> {
  try {
    return await attach();
  } catch (error) {
    const isMissing = error instanceof KernelError && error.code === 'HOOK_NOT_FOUND';
    if (isMissing && hook.ignoreCallNotFound === true) return undefined;
    throw error;
  }
}

/** Throws KernelError NO_ATTACH_MECHANISM if the kernel does not have the mechanism. */
export function checkFeature({ hook, context }: AttachRequest, feature: keyof NativeFeatures, name: string): void {
  const { features } = context;
  if (!features[feature].available)
    throw notAvailableError(hook, name, `${feature} (${missingReason(feature, features)})`);
}

export async function attachSingle(request: AttachRequest, target: SingleTarget): Promise<AttachResult> {
  const { hook, kernel } = request;
  const { attachment, attach, name, feature, prototype, explainError, ...own } = target;
  checkFeature(request, feature, name);
  checkMissedCalls(hook, attachment.mechanism, request.context);
  checkHash(hook, kernel);
  const valueLocations = await locateValues(request, prototype);
  try {
    await loadHook(request, { attachment, params: prototype?.params.length ?? 0, valueLocations, ...own });
  } catch (error) {
    const known = explainError?.(error as NativeError) ?? toHashError(error as NativeError, hook);
    throw known ?? toKernelError(error as NativeError, hook, name);
  }
  return { functionName: name, functions: [name], attach };
}
