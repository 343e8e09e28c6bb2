/**
 * Determines whether this kernel can suspend code of its own. A BPF program on a trampoline that is suspended is skipped
 * for every other task on its CPU, so calls are missed. Programs on kprobes run with preemption disabled.
 */
import { readFileSync } from 'node:fs';
import { release, version } from 'node:os';
import type { PreemptionModel } from '../../types/kernel.js';
import type { NativeBinding } from './binding.js';

export interface Preemption {
  readonly model: PreemptionModel;
  /** True if a program on a trampoline, an LSM hook or a uprobe can be suspended while it runs. */
  readonly isPreemptible: boolean;
  /** True if a program on a raw tracepoint can be suspended, too. */
  readonly suspendsTracepoints: boolean;
}

/** The model that a kernel with CONFIG_PREEMPT_DYNAMIC uses at the moment. The file belongs to debugfs. */
const MODEL_FILE = '/sys/kernel/debug/sched/preempt';

/** The values of `preempt_dynamic_mode` in the kernel (kernel/sched/core.c). */
const DYNAMIC_MODES: readonly PreemptionModel[] = ['none', 'voluntary', 'full', 'lazy'];

/** A model that cannot be determined counts as preemptible. */
const NOT_PREEMPTIBLE: ReadonlySet<PreemptionModel> = new Set<PreemptionModel>(['none', 'voluntary']);

/** Tests replace it. */
export const preemption = { detect };

type KernelReader = Pick<NativeBinding, 'kernelInt' | 'kernelJumps'>;

function detect(binding: KernelReader): Preemption {
  const model =
    staticModel(version()) ?? readModelFile() ?? readDynamicMode(binding) ?? readSwitch(binding) ?? 'unknown';
  const isPreemptible = !NOT_PREEMPTIBLE.has(model);
  return { model, isPreemptible, suspendsTracepoints: isPreemptible && suspendsTracepoints(release()) };
}

/** Linux 6.13 does this at the tracepoints of system calls, and Linux 7.0 at all tracepoints. */
export function suspendsTracepoints(kernelRelease: string): boolean {
  const [major = 0, minor = 0] = kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  return major > 6 || (major === 6 && minor >= 13);
}

/** Returns the model that the kernel was built with, as `uname -v` shows it; undefined if it was chosen at boot. */
export function staticModel(kernelVersion: string): PreemptionModel | undefined {
  const words = kernelVersion.split(' ');
  if (words.includes('PREEMPT_RT')) return 'rt';
  if (words.includes('PREEMPT_DYNAMIC')) return undefined;
  if (words.includes('PREEMPT_LAZY')) return 'lazy';
  // none and voluntary look the same here, and neither suspends the kernel
  return words.includes('PREEMPT') ? 'full' : 'voluntary';
}

/** The file has all models of the kernel, the current one in parentheses: `none voluntary (full)`. */
export function parseModelFile(content: string): PreemptionModel | undefined {
  const current = /\((\w+)\)/.exec(content)?.[1];
  return DYNAMIC_MODES.find((model) => model === current);
}

function readModelFile(): PreemptionModel | undefined {
  try {
    return parseModelFile(readFileSync(MODEL_FILE, 'utf8'));
  } catch {
    return undefined;
  }
}

function readDynamicMode(binding: KernelReader): PreemptionModel | undefined {
  return DYNAMIC_MODES[binding.kernelInt('preempt_dynamic_mode') ?? -1];
}

/**
 * Kernels without the names of variables (CONFIG_KALLSYMS_ALL) have those of functions. On x86, the model is chosen by
 * jumps; this one leads to the function if the kernel gives way at stated points only, and else to another one.
 */
export function readSwitch(binding: KernelReader): PreemptionModel | undefined {
  // none and voluntary look the same here, too
  return binding.kernelJumps('__SCT__cond_resched', '__cond_resched') ? 'voluntary' : undefined;
}
