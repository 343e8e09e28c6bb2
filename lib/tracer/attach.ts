/** How a hook is attached here: which kernel function, by which mechanism, in how many programs. */
import type { HookImage } from '../policy/image.js';
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
import type { KernelInfo } from '../../types/kernel.js';
import type { HookStatus } from '../../types/tracer.js';
import { hostNamespaces } from '../output/host-namespaces.js';
import { valuesOf } from '../wire/context.js';
import { encodeHook, type EncodeContext } from '../wire/encode.js';
import { isLate } from '../wire/reads.js';
import { inodesOf, isRegister, placeOf, registersOf, resolveValues, voidPointers } from './values.js';

export interface AttachContext {
  readonly binding: NativeBinding;
  readonly session: NativeSession;
  readonly features: NativeFeatures;
  readonly attach: 'auto' | 'fentry' | 'kprobe';
  readonly selfTgid: number;
}

export interface Attached {
  readonly functionName: string;
  readonly attach: HookStatus['attach'];
}

interface Prototype {
  readonly params: number;
  readonly returns: boolean;
}

type Mechanism = 'fentry' | 'kprobe';

/** What does not depend on the mechanism. */
type HookPlaces = Pick<EncodeContext, 'resolved' | 'registers' | 'inodes' | 'hostNamespaces'>;

/** Returns undefined when the function is not there and the policy allows that. */
export function attachHook(
  hook: HookImage,
  id: number,
  processBits: readonly number[],
  context: AttachContext,
  kernel: KernelInfo,
): Attached | undefined {
  const functionName = kernelName(hook);
  const prototype = context.binding.kernelFunction(functionName);
  if (prototype === null && hook.ignoreCallNotFound === true && kernel.attachable(functionName) === false) {
    return undefined;
  }
  checkPrototype(hook, functionName, prototype);
  const places: HookPlaces = {
    resolved: resolveValues(hook, functionName, kernel),
    registers: registersOf(hook, kernel, process.arch),
    inodes: inodesOf(hook, context.session),
    hostNamespaces: initialNamespaces(),
  };
  let failure: KernelError | undefined;
  for (const mechanism of mechanisms(hook, context, prototype)) {
    try {
      return attachBy(mechanism, hook, id, functionName, prototype, processBits, places, context, kernel);
    } catch (error) {
      failure ??= toKernelError(error as NativeError, hook, functionName);
    }
  }
  if (hook.ignoreCallNotFound === true && (failure === undefined || failure.code === 'HOOK_NOT_FOUND')) {
    return undefined;
  }
  throw failure ?? noMechanism(hook, functionName, prototype, context);
}

/** The function behind a system call has its architecture in its name. */
function kernelName(hook: HookImage): string {
  const prefix = process.arch === 'arm64' ? '__arm64_' : '__x64_';
  return hook.syscall && !hook.call.startsWith('__') ? prefix + hook.call : hook.call;
}

function checkPrototype(hook: HookImage, functionName: string, prototype: Prototype | null): void {
  if (prototype === null) return;
  const place = `${hook.position.file}:${hook.position.line}:${hook.position.column}`;
  if (readsReturn(hook) && !prototype.returns) {
    throw new KernelError(
      'RETURN_OF_VOID',
      `${place}: ${functionName} returns nothing`,
      'remove `return` and `returnArg`, and give the size of a buffer with sizeArgIndex',
    );
  }
  if (hook.syscall) return;
  const beyond = hook.args.find((arg) => arg.source === undefined && arg.index >= prototype.params);
  if (beyond !== undefined) {
    throw new KernelError(
      'ARG_BEYOND_PROTOTYPE',
      `${placeOf(hook, beyond)}: ${functionName} has ${prototype.params} parameters, index ${beyond.index} is none of them`,
      'indexes count from 0',
    );
  }
}

/** The return value itself, or as the size of a buffer. */
function readsReturn(hook: HookImage): boolean {
  return hook.returnArg !== undefined || valuesOf(hook).some((value) => isLate(value) && value.returnCopy !== true);
}

function mechanisms(hook: HookImage, context: AttachContext, prototype: Prototype | null): Mechanism[] {
  const { attach, features } = context;
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

function noMechanism(
  hook: HookImage,
  functionName: string,
  prototype: Prototype | null,
  context: AttachContext,
): KernelError {
  const { features, attach } = context;
  const wanted = attach === 'auto' ? ['fentry', 'kprobe'] : [attach];
  const available = wanted.some((name) => features[name as Mechanism] === '');
  if (available && prototype === null) {
    return new KernelError(
      'HOOK_NOT_FOUND',
      `${hook.position.file}:${hook.position.line}:${hook.position.column}: this kernel's BTF has no function ${functionName}`,
      'check the name, and whether the compiler inlined it; `ignore: {callNotFound: true}` makes the hook optional',
    );
  }
  const why = wanted.map((name) => `${name} (${features[name as Mechanism]})`).join(' and ');
  return new KernelError(
    'NO_ATTACH_MECHANISM',
    `${functionName} cannot be attached: the kernel or the privileges do not allow ${why}`,
    '`polytrace preflight` tells what is missing',
  );
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
  kernel: KernelInfo,
): Attached {
  // also a buffer that the function fills is there only when it returns
  const returns = valuesOf(hook).some(isLate) || hook.returnArg !== undefined;
  const pair = returns && (mechanism === 'kprobe' || !leavesArgumentsAlone(hook));
  const onDemand = context.binding.kernelHasStruct('bpf_mem_alloc');
  const encoded = encodeHook(hook, {
    id,
    selfTgid: context.selfTgid,
    pair,
    params: prototype?.params ?? 0,
    processBits,
    onDemand,
    byHelper: mechanism === 'fentry' ? voidPointers(hook, functionName, kernel) : new Set(),
    ...places,
  });
  const spec: NativeHookSpec = {
    id,
    object: `${mechanism}_${context.features.directRead === '' ? 'direct' : 'probe'}`,
    target: functionName,
    mechanism,
    entry: !returns || pair,
    return: returns,
    config: encoded.config,
    code: encoded.code,
    maps: encoded.maps,
  };
  context.session.addHook(spec);
  return { functionName, attach: attachName(mechanism, returns, pair) };
}

function attachName(mechanism: Mechanism, returns: boolean, pair: boolean): HookStatus['attach'] {
  if (mechanism === 'kprobe') return returns ? 'kprobe+kretprobe' : 'kprobe';
  if (pair) return 'fentry+fexit';
  return returns ? 'fexit' : 'fentry';
}

function toKernelError(error: NativeError, hook: HookImage, functionName: string): KernelError {
  if (error instanceof KernelError) return error;
  const place = `${hook.position.file}:${hook.position.line}:${hook.position.column}`;
  // EBUSY: the types have the function, but there is no place in its code where it can be traced
  const unprobed = error.code === 'HOOK_ATTACH' && (error.errno === 'ENOENT' || error.errno === 'EBUSY');
  const missing = error.code === 'NO_SUCH_FUNCTION' || unprobed;
  const detail = kernelDetail(error);
  if (missing) {
    return new KernelError(
      'HOOK_NOT_FOUND',
      `${place}: this kernel has no function ${functionName}, or it cannot be probed`,
      'check the name, and whether the compiler inlined it; `ignore: {callNotFound: true}` makes the hook optional',
      detail,
    );
  }
  if (notPermitted(error)) {
    return new KernelError(
      'NOT_PERMITTED',
      `${place}: not permitted to attach to ${functionName}: ${error.message}`,
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
