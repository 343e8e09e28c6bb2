/** The part of attaching that all kinds of hooks share: find the values, encode, load, put errors into words. */
import type { FunctionInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import { hookPlace } from '../image/hook.js';
import type { HookImage } from '../image/image.js';
import type { NativeHookSpec } from '../native/binding.js';
import { kernelDetail, notPermitted, withReason, type NativeError } from '../native/native-error.js';
import { objectName } from '../native/features.js';
import { hostNamespaces } from '../process/host-namespaces.js';
import { encodeHook, type EncodeContext } from '../wire/encode/hook.js';
import { fieldsOf } from './fields.js';
import type { AttachRequest } from './request.js';
import { inodesOf, registersOf, resolveValues, voidPointers } from './values.js';

/** What does not depend on the mechanism. */
export type HookPlaces = Pick<
  EncodeContext,
  'resolved' | 'registers' | 'fields' | 'byHelper' | 'inodes' | 'hostNamespaces'
>;

/** `prototype`: of what is hooked, where it has one. */
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
  const { uts, ipc, mnt, pid, pidForChildren, net, time, timeForChildren, cgroup, user } = hostNamespaces();
  return {
    Uts: uts,
    Ipc: ipc,
    Mnt: mnt,
    Pid: pid,
    PidForChildren: pidForChildren,
    Net: net,
    Time: time,
    TimeForChildren: timeForChildren,
    Cgroup: cgroup,
    User: user,
  };
}

/** What is put on what: the mechanism with its target, and which programs. */
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

/** How one hook is loaded: where its program goes, and what only its kind of hook has. */
export interface HookLoad extends Partial<Pick<EncodeContext, 'probePlaces' | 'programChanges' | 'several' | 'ia32'>> {
  readonly attachment: Attachment;
  readonly places: HookPlaces;
  /** Number of parameters of the kernel function. */
  readonly params: number;
}

/**
 * Encodes the hook, loads and attaches its programs. Returns the indexes of the places that were left out. Throws KernelError
 * where the hook cannot be encoded, and NativeError where the kernel refuses it.
 */
export function loadHook({ hook, id, processBits, context }: AttachRequest, load: HookLoad): readonly number[] {
  const { attachment, places, ...own } = load;
  const encoded = encodeHook(hook, {
    id,
    processBits,
    selfTgid: context.selfTgid,
    countHits: context.countHits,
    // the second program of an LSM hook is not at a return
    pair: attachment.entry && attachment.return && hook.kind !== 'lsm',
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
const HINTS: Readonly<Partial<Record<HookImage['kind'], string>>> = {
  kprobe: FUNCTION_HINT,
  fentry: FUNCTION_HINT,
  loader: 'the kernel must have been built with CONFIG_PERF_EVENTS',
  uprobe: 'check the path and the symbol: nm, and nm -D, show those of the file; a stripped program needs offsets',
};

/** What the kernel said, in words of the policy. `what`: what is hooked. */
export function toKernelError(error: NativeError, hook: HookImage, what: string): KernelError {
  if (error instanceof KernelError) return error;
  const place = hookPlace(hook);
  // EBUSY: the types have the function, but there is no place in its code where it can be traced
  const unprobed = error.code === 'HOOK_ATTACH' && (error.errno === 'ENOENT' || error.errno === 'EBUSY');
  const missing = error.code === 'NO_SUCH_FUNCTION' || unprobed;
  const detail = kernelDetail(error);
  if (missing) {
    return new KernelError(
      'HOOK_NOT_FOUND',
      `${place}: ${what} is not there, or cannot be hooked`,
      HINTS[hook.kind] ?? 'check the name; `optional: true` leaves the hook out where it is missing',
      detail,
    );
  }
  if (notPermitted(error)) {
    return new KernelError(
      'NOT_PERMITTED',
      `${place}: not permitted to attach to ${what}: ${error.message}`,
      'CAP_BPF and CAP_PERFMON (or root) are needed, and a kernel that is not locked down',
      detail,
    );
  }
  return new KernelError(
    error.code ?? 'HOOK_LOAD',
    `${place}: ${withReason(error)}`,
    'the `log` of this error has what the kernel said',
    detail,
  );
}
