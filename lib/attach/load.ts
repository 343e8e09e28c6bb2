/** The part of attaching that all kinds of hooks share: find the values, encode, load, and explain errors. */
import type { FunctionInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import { hookPlace } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import type { NativeHookSpec } from '../native/binding.js';
import { kernelDetail, notPermitted, withReason, type NativeError } from '../native/native-error.js';
import { objectName } from '../native/features.js';
import { NAMESPACE_NAMES } from '../names/namespaces.js';
import { hostNamespaces } from '../process/host-namespaces.js';
import { encodeHook, type EncodeContext } from '../wire/encode/hook.js';
import { fieldsOf } from './fields.js';
import type { AttachRequest } from './request.js';
import { locksFor } from './verdicts.js';
import { inodesOf, registersOf, resolveValues, voidPointers } from './values.js';

/** The places of the hook's values, which do not depend on the mechanism. */
export type HookPlaces = Pick<
  EncodeContext,
  'resolved' | 'registers' | 'fields' | 'byHelper' | 'inodes' | 'hostNamespaces'
>;

/** `prototype` is the prototype of the hooked function, if there is one. */
export function placesOf({ hook, context, kernel }: AttachRequest, prototype: FunctionInfo | undefined): HookPlaces {
  return {
    resolved: resolveValues(hook, prototype, kernel),
    registers: registersOf(hook, kernel, process.arch),
    fields: fieldsOf(hook, kernel),
    byHelper: voidPointers(hook, prototype),
    inodes: inodesOf(hook, context.session),
    hostNamespaces: initialNamespaces(),
  };
}

function initialNamespaces(): EncodeContext['hostNamespaces'] {
  const inodes = hostNamespaces();
  return Object.fromEntries(
    NAMESPACE_NAMES.map(({ policy, key }) => [policy, inodes[key]]),
  ) as EncodeContext['hostNamespaces'];
}

/** The mechanism with its target, and the programs that are attached. */
export type Attachment = Pick<
  NativeHookSpec,
  | 'mechanism'
  | 'target'
  | 'group'
  | 'path'
  | 'offset'
  | 'counter'
  | 'places'
  | 'optionalPlaces'
  | 'entry'
  | 'return'
  | 'overrides'
>;

/** The input for loading one hook: its target, and the fields that only its kind of hook has. */
export interface HookLoad extends Partial<Pick<EncodeContext, 'probePlaces' | 'programChanges' | 'several' | 'ia32'>> {
  readonly attachment: Attachment;
  readonly places: HookPlaces;
  /** Number of parameters of the kernel function. */
  readonly params: number;
}

/**
 * Encodes the hook, loads and attaches its programs. Resolves with the indexes of the skipped places. Rejects with
 * KernelError if the hook cannot be encoded, and NativeError if the kernel refuses it.
 */
export async function loadHook(
  { hook, id, processBits, scopeBits, context }: AttachRequest,
  load: HookLoad,
): Promise<readonly number[]> {
  const { attachment, places, ...own } = load;
  const encoded = encodeHook(hook, {
    id,
    processBits,
    scopeBits,
    selfTgid: context.selfTgid,
    countHits: context.countHits,
    // The second program of an LSM hook does not run at a return.
    pair: attachment.entry && attachment.return && hook.kind !== 'lsm',
    locks: locksFor(hook, attachment.mechanism, context),
    onDemand: context.binding.kernelHasStruct('bpf_mem_alloc'),
    enforcer: context.enforcer,
    several: false,
    ia32: false,
    ...own,
    ...places,
  });
  return context.session.addHook({
    id,
    object: objectName(attachment.mechanism.replace('.multi', ''), context.features),
    ...attachment,
    config: encoded.config,
    code: encoded.code,
    maps: encoded.maps,
  });
}

const FUNCTION_HINT =
  'check the name, and whether the compiler inlined it; `ignore: {callNotFound: true}` makes the hook optional';
const HINTS: Readonly<Partial<Record<CompiledHook['kind'], string>>> = {
  kprobe: FUNCTION_HINT,
  fentry: FUNCTION_HINT,
  loader: 'the kernel must have been built with CONFIG_PERF_EVENTS',
  uprobe: 'check the path and the symbol: nm and nm -D list the symbols of a file; a stripped program needs offsets',
};

/** Explains an error of the kernel in terms of the policy. `what` names the target of the hook. */
export function toKernelError(error: NativeError, hook: CompiledHook, what: string): KernelError {
  if (error instanceof KernelError) return error;
  const place = hookPlace(hook);
  // EBUSY means that the kernel's types contain the function, but its code has no place where it can be traced.
  const unprobed = error.code === 'HOOK_ATTACH' && (error.errno === 'ENOENT' || error.errno === 'EBUSY');
  const missing = error.code === 'NO_SUCH_FUNCTION' || unprobed;
  const detail = kernelDetail(error);
  if (missing) {
    return new KernelError(
      'HOOK_NOT_FOUND',
      `${place}: ${what} does not exist, or cannot be hooked`,
      HINTS[hook.kind] ?? 'check the name; with `optional: true` the hook is skipped if its target is missing',
      detail,
    );
  }
  if (notPermitted(error)) {
    return new KernelError(
      'NOT_PERMITTED',
      `${place}: not permitted to attach to ${what}: ${error.message}`,
      'this needs CAP_BPF and CAP_PERFMON (or root), and a kernel that is not locked down',
      detail,
    );
  }
  return new KernelError(
    error.code ?? 'HOOK_LOAD',
    `${place}: ${withReason(error)}`,
    'the `log` of this error contains the messages of the kernel',
    detail,
  );
}
