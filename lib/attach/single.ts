/** Attaches a hook of a kind that has only one mechanism: tracepoints, LSM hooks, functions of programs. */
import type { FunctionInfo } from '../../types/kernel.js';
import type { HookStatus } from '../../types/tracer.js';
import { KernelError } from '../errors.js';
import type { NativeError } from '../native/native-error.js';
import type { NativeFeatures } from '../native/features.js';
import { missingReason } from '../native/preflight.js';
import type { ProgramChanges } from '../wire/encode/context.js';
import { checkHash, hashRefused } from './ima.js';
import { loadHook, placesOf, toKernelError, type Attachment } from './load.js';
import { notAvailable } from './mechanisms.js';
import type { Attached, AttachRequest } from './request.js';

export interface SingleTarget {
  readonly attachment: Attachment;
  readonly attach: HookStatus['attach'];
  /** The name in messages and losses. */
  readonly name: string;
  readonly feature: keyof NativeFeatures;
  readonly prototype?: FunctionInfo | undefined;
  /** The number of places of a static probe. */
  readonly probePlaces?: number;
  readonly programChanges?: ProgramChanges | undefined;
  /** Explains an error that only this kind of hook can have. */
  readonly refused?: (error: NativeError) => KernelError | undefined;
}

/** Calls `attach`. Returns undefined if the target does not exist and the policy allows that. */
export async function ifThere(
  { hook }: AttachRequest,
  attach: () => Promise<Attached | undefined>,
): Promise<Attached | undefined> {
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
  if (!features[feature].available) throw notAvailable(hook, name, `${feature} (${missingReason(feature, features)})`);
}

export async function attachSingle(request: AttachRequest, target: SingleTarget): Promise<Attached> {
  const { hook, kernel } = request;
  const { attachment, attach, name, feature, prototype, refused, ...own } = target;
  checkFeature(request, feature, name);
  checkHash(hook, kernel);
  const places = placesOf(request, prototype);
  try {
    await loadHook(request, { attachment, params: prototype?.params.length ?? 0, places, ...own });
  } catch (error) {
    const known = refused?.(error as NativeError) ?? hashRefused(error as NativeError, hook);
    throw known ?? toKernelError(error as NativeError, hook, name);
  }
  return { functionName: name, functions: [name], attach };
}
