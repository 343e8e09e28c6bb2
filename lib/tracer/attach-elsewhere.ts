/** Hooks that are not on a function of the kernel: tracepoints. Each has one mechanism. */
import type { FunctionInfo, KernelInfo } from '../../types/kernel.js';
import type { HookStatus } from '../../types/tracer.js';
import { KernelError } from '../errors.js';
import type { NativeError, NativeFeatures } from '../native/binding.js';
import type { HookImage } from '../policy/image.js';
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
}

export function attachElsewhere(
  hook: HookImage,
  id: number,
  processBits: readonly number[],
  context: AttachContext,
  kernel: KernelInfo,
): Attached {
  const { attachment, attach, name, feature, prototype } = elsewhere(hook, kernel);
  const missing = context.features[feature];
  if (missing !== '') {
    throw new KernelError(
      'NO_ATTACH_MECHANISM',
      `${hookPlace(hook)}: ${name} cannot be attached: the kernel or the privileges do not allow ${feature} (${missing})`,
      '`polytrace preflight` tells what is missing',
    );
  }
  const places = placesOf(hook, prototype, context, kernel);
  try {
    loadHook(hook, id, attachment, { params: prototype?.params.length ?? 0, processBits }, places, context);
  } catch (error) {
    throw toKernelError(error as NativeError, hook, name);
  }
  return { functionName: name, attach };
}

const ENTRY_ONLY = { entry: true, return: false };

function elsewhere(hook: HookImage, kernel: KernelInfo): Elsewhere {
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
    default:
      throw new Error(`a hook of kind ${hook.kind} is attached elsewhere`);
  }
}
