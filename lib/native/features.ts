/** Features of the kernel, as the addon finds them by trying, and the BPF objects that fit them. */

/** `reason`: the name of the errno with which the try failed; empty where the feature is available. */
interface Feature {
  readonly available: boolean;
  readonly reason: string;
}

export type FeatureName =
  | 'btf'
  | 'ringBuffer'
  | 'tpBtf'
  | 'directRead'
  | 'fentry'
  | 'kprobe'
  | 'kprobeMulti'
  | 'lsm'
  | 'fmodRet'
  | 'uprobe'
  | 'uprobeMulti'
  /** Programs on uprobes may set registers. */
  | 'uprobeRegisters'
  | 'tracepoint';

export type NativeFeatures = Readonly<Record<FeatureName, Feature>>;

/** From the addon's form: the name of an errno, empty where the feature is available. */
export function featuresOf(raw: Readonly<Record<FeatureName, string>>): NativeFeatures {
  const entries = Object.entries(raw).map(([name, reason]) => [name, { available: reason === '', reason }]);
  return Object.fromEntries(entries) as NativeFeatures;
}

/**
 * The name of a BPF object in the addon. Each source is compiled twice, see bpf/common.bpf.h. The base sensor, `process`, is
 * made of tp_btf programs in its direct flavour.
 */
export function objectName(source: string, { directRead, tpBtf }: Pick<NativeFeatures, 'directRead' | 'tpBtf'>): string {
  const isDirect = directRead.available && (source !== 'process' || tpBtf.available);
  return `${source}_${isDirect ? 'direct' : 'probe'}`;
}
