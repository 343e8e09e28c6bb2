/** Features of the kernel, which the addon probes, and the BPF objects for these features. */

/** `reason` is the name of the errno with which the probe failed; empty if the feature is available. */
interface Feature {
  readonly available: boolean;
  readonly reason: string;
}

export type FeatureName =
  /** The types of the kernel are known: from its own BTF, or from a file. */
  | 'btf'
  /** The kernel has BTF of its own. */
  | 'ownBtf'
  | 'ringBuffer'
  | 'tpBtf'
  | 'directRead'
  /** Programs may disable preemption. */
  | 'preemptDisable'
  /** Global functions of programs may have pointers as parameters. */
  | 'pointerParams'
  | 'fentry'
  | 'kprobe'
  | 'kprobeMulti'
  /** A program knows which of its attach points was hit. */
  | 'attachCookie'
  | 'lsm'
  | 'fmodRet'
  /** The same for functions that are not called security_…. */
  | 'fmodRetListed'
  | 'uprobe'
  | 'uprobeMulti'
  /** Programs on uprobes may set registers. */
  | 'uprobeRegisters'
  | 'tracepoint';

export type NativeFeatures = Readonly<Record<FeatureName, Feature>>;

/** Decodes the addon's answers: each is the name of an errno, or empty if the feature is available. */
export function decodeFeatures(raw: Readonly<Record<FeatureName, string>>): NativeFeatures {
  const entries = Object.entries(raw).map(([name, reason]) => [name, { available: reason === '', reason }]);
  return Object.fromEntries(entries) as NativeFeatures;
}

/**
 * Returns the name of a BPF object in the addon. Each source is compiled in several variants, see bpf/common.bpf.h. The direct
 * variant of the base sensor, `process`, consists of tp_btf programs. Enforcers have no variant for old kernels.
 */
export function objectName(
  source: string,
  { directRead, tpBtf, pointerParams }: Pick<NativeFeatures, 'directRead' | 'tpBtf' | 'pointerParams'>,
): string {
  if (directRead.available && (source !== 'process' || tpBtf.available)) return `${source}_direct`;
  return `${source}_${pointerParams.available || source.startsWith('enforcer_') ? 'probe' : 'old'}`;
}
