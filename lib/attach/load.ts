/** The steps of attaching that all kinds of hooks share: locate the values, encode, load, and explain errors. */
import { randomFillSync } from 'node:crypto';
import type { FunctionInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import { formatHookPosition } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import type { NativeHookSpec } from '../native/binding.js';
import { kernelDetail, isNotPermitted, messageWithReason, type NativeError } from '../native/native-error.js';
import { objectName } from '../native/features.js';
import { NAMESPACE_NAMES } from '../names/namespaces.js';
import { readHostNamespaces } from '../process/host-namespaces.js';
import { selectedCalls } from '../wire/encode/calls.js';
import { encodeHook, type EncodeContext } from '../wire/encode/hook.js';
import { locateFields } from './fields.js';
import type { AttachRequest } from './request.js';
import { countPossibleCpus, negativeCacheLocks } from './negative-cache.js';
import { kernelUnwinder } from './stack-cache.js';
import { scratchGuard } from './preemption.js';
import { locateSizes } from './sizes.js';
import { readInodes, locateRegisters, resolveValues, voidPointerSlots } from './values.js';

/** The locations of the hook's values. They do not depend on the mechanism. */
export type ValueLocations = Pick<
  EncodeContext,
  'resolved' | 'registers' | 'fields' | 'helperSlots' | 'sizes' | 'inodes' | 'hostNamespaces'
>;

/** `prototype` is the prototype of the hooked function; undefined if it is not known. */
export async function locateValues(
  { hook, context, kernel }: AttachRequest,
  prototype: FunctionInfo | undefined,
): Promise<ValueLocations> {
  return {
    resolved: resolveValues(hook, prototype, kernel),
    registers: locateRegisters(hook, kernel, process.arch),
    fields: locateFields(hook, kernel),
    helperSlots: voidPointerSlots(hook, prototype),
    sizes: locateSizes(hook, prototype, kernel),
    inodes: await readInodes(hook, context.session),
    hostNamespaces: namespacesByPolicyName(),
  };
}

function namespacesByPolicyName(): EncodeContext['hostNamespaces'] {
  const inodes = readHostNamespaces();
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
  | 'attachPoints'
  | 'optionalAttachPoints'
  | 'entry'
  | 'return'
  | 'overrides'
>;

/** The input for loading one hook: its target, and the fields that only its kind of hook has. */
export interface HookLoad extends Partial<
  Pick<EncodeContext, 'probePoints' | 'programChanges' | 'multiplePoints' | 'ia32'>
> {
  readonly attachment: Attachment;
  readonly valueLocations: ValueLocations;
  /** Number of parameters of the kernel function. */
  readonly params: number;
}

/**
 * Encodes the hook, loads and attaches its programs. Resolves with the indexes of the skipped attach points. Rejects with
 * KernelError if the hook cannot be encoded, and with NativeError if the kernel refuses it.
 */
export async function loadHook(
  { hook, id, processBits, scopeBits, markIds, context }: AttachRequest,
  load: HookLoad,
): Promise<readonly number[]> {
  const { attachment, valueLocations, ...own } = load;
  const guard = scratchGuard(attachment.mechanism, context);
  const encoding: EncodeContext = {
    id,
    processBits,
    scopeBits,
    markIds,
    selfTgid: context.selfTgid,
    countHits: context.countHits,
    cpus: hook.counts === undefined ? 0 : countPossibleCpus(),
    countSeed: randomSeed(),
    // The second program of an LSM hook does not run at a return.
    pair: attachment.entry && attachment.return && hook.kind !== 'lsm',
    guard,
    ...negativeCacheLocks(hook, attachment.mechanism, context),
    unwinder: kernelUnwinder(hook, { mechanism: attachment.mechanism, guard, params: own.params }, context),
    onDemand: context.binding.kernelHasStruct('bpf_mem_alloc'),
    enforcer: context.enforcer,
    multiplePoints: false,
    ia32: false,
    ...own,
    ...valueLocations,
  };
  const calls = selectedCalls(hook, { ...encoding, preemption: context.preemption });
  const loadProgram = ({ canMove }: { readonly canMove: boolean }): Promise<readonly number[]> => {
    const encoded = encodeHook(hook, { ...encoding, canMove });
    return context.session.addHook({
      id,
      object: objectName(attachment.mechanism.replace('.multi', ''), context.features),
      ...attachment,
      optimize: context.optimize,
      config: encoded.config,
      code: encoded.code,
      maps: encoded.maps,
      calls,
    });
  };
  if (context.groups === undefined) return loadProgram({ canMove: false });
  return context.groups.attach(hook, attachment, encoding, { load: loadProgram, calls: calls?.numbers });
}

function randomSeed(): [bigint, bigint] {
  const [first = 0n, second = 0n] = randomFillSync(new BigUint64Array(2));
  return [first, second];
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
  const position = formatHookPosition(hook);
  // EBUSY means that the kernel BTF contains the function, but its code has no instruction that can be traced.
  const unprobed = error.code === 'HOOK_ATTACH' && (error.errno === 'ENOENT' || error.errno === 'EBUSY');
  const missing = error.code === 'NO_SUCH_FUNCTION' || unprobed;
  const detail = kernelDetail(error);
  if (missing) {
    return new KernelError(
      'HOOK_NOT_FOUND',
      `${position}: ${what} does not exist, or cannot be hooked`,
      HINTS[hook.kind] ?? 'check the name; with `optional: true` the hook is skipped if its target is missing',
      detail,
    );
  }
  if (isNotPermitted(error)) {
    return new KernelError(
      'NOT_PERMITTED',
      `${position}: not permitted to attach to ${what}: ${error.message}`,
      'this needs CAP_BPF and CAP_PERFMON (or root), and a kernel that is not locked down',
      detail,
    );
  }
  return new KernelError(
    error.code ?? 'HOOK_LOAD',
    `${position}: ${messageWithReason(error)}`,
    'the `log` of this error contains the messages of the kernel',
    detail,
  );
}
