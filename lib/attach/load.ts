/** The part of attaching that every kind of hook has: its values are looked up, it is encoded, loaded, and errors are put into words. */
import type { FunctionInfo, KernelInfo } from '../../types/kernel.js';
import type { HookStatus } from '../../types/tracer.js';
import { KernelError } from '../errors.js';
import {
  kernelDetail,
  notPermitted,
  withReason,
  type NativeBinding,
  type NativeError,
  type NativeFeatures,
  type NativeHookSpec,
  type NativeSession,
} from '../native/binding.js';
import { hostNamespaces } from '../process/host-namespaces.js';
import type { HookImage, ProgramPlace } from '../image/image.js';
import { encodeHook, type EncodeContext } from '../wire/encode/hook.js';
import { fieldsOf } from './fields.js';
import { inodesOf, registersOf, resolveValues, voidPointers } from './values.js';

export interface AttachContext {
  readonly binding: NativeBinding;
  readonly session: NativeSession;
  readonly features: NativeFeatures;
  readonly attach: 'auto' | 'fentry' | 'kprobe';
  readonly selfTgid: number;
  readonly countHits: boolean;
  /** Of the policy that is being loaded: the id of the first of its enforcers. */
  readonly enforcer?: number | undefined;
}

export interface Attached {
  readonly functionName: string;
  /** All that it is attached to. */
  readonly functions: readonly string[];
  readonly attach: HookStatus['attach'];
  /** Of several functions or places, those that are left out as the policy allows. */
  readonly skipped?: readonly string[];
  /** Of several places in a program those that are attached, as the events number them. */
  readonly places?: readonly ProgramPlace[];
}

/** What does not depend on the mechanism. */
export type HookPlaces = Pick<
  EncodeContext,
  'resolved' | 'registers' | 'fields' | 'byHelper' | 'inodes' | 'hostNamespaces'
>;

/** `prototype`: of what is hooked, where it has one. */
export function placesOf(
  hook: HookImage,
  prototype: FunctionInfo | undefined,
  context: AttachContext,
  kernel: KernelInfo,
): HookPlaces {
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

/** Returns the places that were left out. Throws KernelError of what cannot be encoded, NativeError of what the kernel refuses. */
export function loadHook(
  hook: HookImage,
  id: number,
  attachment: Attachment,
  own: Pick<EncodeContext, 'params' | 'processBits' | 'probePlaces' | 'programChanges'> &
    Partial<Pick<EncodeContext, 'several' | 'ia32'>>,
  places: HookPlaces,
  context: AttachContext,
): number[] {
  const encoded = encodeHook(hook, {
    id,
    selfTgid: context.selfTgid,
    countHits: context.countHits,
    // of an LSM hook, the second program is no return
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
    object: `${attachment.mechanism.replace('.multi', '')}_${context.features.directRead === '' ? 'direct' : 'probe'}`,
    ...attachment,
    config: encoded.config,
    code: encoded.code,
    maps: encoded.maps,
  });
}

export function hookPlace({ position }: HookImage): string {
  return `${position.file}:${position.line}:${position.column}`;
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
