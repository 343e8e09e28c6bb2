/** Hooks that are not on a function of the kernel: tracepoints, LSM hooks, functions of programs. Each has one mechanism. */
import type { FunctionInfo, KernelInfo } from '../../types/kernel.js';
import type { HookStatus } from '../../types/tracer.js';
import { KernelError } from '../errors.js';
import type { NativeError, NativeFeatures } from '../native/binding.js';
import type { HookImage } from '../image/image.js';
import { missingReason } from '../native/preflight.js';
import { fileOffset } from '../elf/elf-info.js';
import { hostFiles } from '../elf/elf.js';
import { valuesOf, type ProgramChanges } from '../wire/encode/context.js';
import { attachPlaces } from './places.js';
import { withVerified } from '../elf/verified.js';
import { checkHash, hashRefused } from './ima.js';
import { argumentChanges, overrideChanges } from './program-changes.js';
import { encodingUnknown, probePlaces } from './static-probes.js';
import { hashesFiles } from '../wire/encode/actions.js';
import { isLate } from '../wire/reads.js';
import {
  hookPlace,
  loadHook,
  placesOf,
  toKernelError,
  type AttachContext,
  type Attached,
  type Attachment,
} from './load.js';

interface Elsewhere {
  readonly attachment: Attachment;
  readonly attach: HookStatus['attach'];
  /** For messages and losses. */
  readonly name: string;
  readonly feature: keyof NativeFeatures;
  readonly prototype?: FunctionInfo | undefined;
  /** Of a static probe. */
  readonly probePlaces?: number;
  readonly programChanges?: ProgramChanges | undefined;
}

/** Returns undefined when what it is on is not there, or the file is another one, and the policy allows that. */
export function attachElsewhere(
  hook: HookImage,
  id: number,
  processBits: readonly number[],
  context: AttachContext,
  kernel: KernelInfo,
): Attached | undefined {
  try {
    return attach(hook, id, processBits, context, kernel);
  } catch (error) {
    const isMissing = error instanceof KernelError && error.code === 'HOOK_NOT_FOUND';
    if (isMissing && hook.ignoreCallNotFound === true) return undefined;
    throw error;
  }
}

function attach(
  hook: HookImage,
  id: number,
  processBits: readonly number[],
  context: AttachContext,
  kernel: KernelInfo,
): Attached | undefined {
  const { attachment, attach: way, name, feature, prototype, ...own } = elsewhere(hook, context, kernel);
  const missing = context.features[feature];
  if (missing !== '') {
    throw new KernelError(
      'NO_ATTACH_MECHANISM',
      `${hookPlace(hook)}: ${name} cannot be attached: the kernel or the privileges do not allow ${feature} (${missingReason(feature, missing)})`,
      '`polytrace preflight` tells what is missing',
    );
  }
  checkHash(hook, kernel);
  const places = placesOf(hook, prototype, context, kernel);
  const loadOwn = { params: prototype?.params.length ?? 0, processBits, ...own };
  try {
    return withFile(hook, name, (path) => {
      if (hook.places !== undefined)
        return attachPlaces(hook, path, id, processBits, context, kernel, own.programChanges);
      loadHook(hook, id, hook.program === undefined ? attachment : { ...attachment, path }, loadOwn, places, context);
      return { functionName: name, functions: [name], attach: way };
    });
  } catch (error) {
    const refused = encodingUnknown(error as NativeError, hook) ?? hashRefused(error as NativeError, hook);
    throw refused ?? toKernelError(error as NativeError, hook, name);
  }
}

/** Calls `use` with the path of the program, where that is one that the policy is for. */
function withFile(hook: HookImage, name: string, use: (path: string) => Attached | undefined): Attached | undefined {
  const { path = '', digests, ignoreDigests } = hook.program ?? {};
  if (digests === undefined) return use(path);
  let attached: Attached | undefined;
  const found = withVerified(path, digests, (own) => (attached = use(own)));
  if (found === 'missing') throw noFile(hook, path);
  if (found === 'other' && ignoreDigests !== true) throw noDigest(hook, name);
  return attached;
}

function noFile(hook: HookImage, path: string): KernelError {
  return new KernelError('HOOK_NOT_FOUND', `${hookPlace(hook)}: ${path} cannot be read`, 'check the path');
}

function noDigest(hook: HookImage, name: string): KernelError {
  return new KernelError(
    'DIGEST_MISMATCH',
    `${hookPlace(hook)}: ${name}: the file has none of the policy's digests`,
    'it is another version than the policy is for; `ignore: {digestVerificationFailure: true}` leaves the hook out then',
  );
}

const ENTRY_ONLY = { entry: true, return: false };

function elsewhere(hook: HookImage, { features }: AttachContext, kernel: KernelInfo): Elsewhere {
  const { subsystem = '', event = '' } = hook.tracepoint ?? {};
  switch (hook.kind) {
    case 'tracepoint':
      return {
        attachment: { mechanism: 'tracepoint', target: event, group: subsystem, ...ENTRY_ONLY },
        attach: 'tracepoint',
        name: hook.call,
        feature: 'tracepoint',
      };
    case 'raw_tracepoint':
      return {
        attachment: { mechanism: 'raw_tracepoint', target: event, ...ENTRY_ONLY },
        attach: 'raw_tracepoint',
        name: hook.call,
        feature: 'btf',
        prototype: kernel.rawTracepoint(event),
      };
    case 'lsm':
      return {
        attachment: { mechanism: 'lsm', target: hook.call, entry: true, return: hashesFiles(hook) },
        attach: 'lsm',
        name: hook.call,
        feature: 'lsm',
        prototype: kernel.function(`bpf_lsm_${hook.call}`),
      };
    case 'uprobe':
      return uprobe(hook, features);
    case 'usdt':
      return usdt(hook, features);
    default:
      throw new Error(`a hook of kind ${hook.kind} is attached elsewhere`);
  }
}

function uprobe(hook: HookImage, features: NativeFeatures): Elsewhere {
  const { path = '', symbol = '', refCtrOffset } = hook.program ?? {};
  const returns = valuesOf(hook).some(isLate) || hook.returnArg !== undefined;
  return {
    attachment: {
      mechanism: 'uprobe',
      target: symbol,
      path,
      // several are looked for one by one: attach-places.ts
      offset: hook.places === undefined ? offsetOf(hook) : 0n,
      ...(refCtrOffset === undefined ? {} : { counter: refCtrOffset }),
      entry: true,
      return: returns,
    },
    attach: returns ? 'uprobe+uretprobe' : 'uprobe',
    name: `${path}:${hook.call}`,
    feature: 'uprobe',
    programChanges: overrideChanges(hook, features, returns),
  };
}

function usdt(hook: HookImage, features: NativeFeatures): Elsewhere {
  const { path = '', provider = '', name = '' } = hook.usdt ?? {};
  const places = probePlaces(hook);
  return {
    attachment: { mechanism: 'usdt', target: name, group: provider, path, ...ENTRY_ONLY },
    attach: 'usdt',
    name: `${path}:${hook.call}`,
    feature: 'uprobe',
    probePlaces: places.length,
    programChanges: argumentChanges(hook, places, features),
  };
}

/** From the symbol, or from the start of the file. */
function offsetOf(hook: HookImage): bigint {
  const { path = '', symbolOffset, fileOffset: offset, address } = hook.program ?? {};
  if (address === undefined) return symbolOffset ?? offset ?? 0n;
  const elf = hostFiles.elf(path);
  const found = elf ? fileOffset(elf, address) : undefined;
  if (found !== undefined) return found;
  throw new KernelError(
    'HOOK_NOT_FOUND',
    `${hookPlace(hook)}: ${path} has nothing at the address ${hook.call}, or is no ELF file`,
    'addresses are those of the file, as nm and objdump show them',
  );
}
