/** Checks what this kernel and the privileges of this process allow. */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import type { PreemptionModel } from '../../types/kernel.js';
import type { PreflightFeature, PreflightOptions, PreflightReport } from '../../types/tracer.js';
import { PolytraceError } from '../errors.js';
import { capabilityBits, type Capability } from '../names/capabilities.js';
import { loadBinding, type NativeBinding } from './binding.js';
import { checkBtfOption, toChoiceError } from './btf.js';
import type { FeatureName, NativeFeatures } from './features.js';
import { preemption } from './preemption.js';

/** The command that mounts tracefs, which has the formats of tracepoints and the list of functions. */
export const MOUNT_TRACEFS =
  '`mount -t tracefs tracefs /sys/kernel/tracing` (on the host of a container, with -v /sys/kernel/tracing:/sys/kernel/tracing)';

const NEEDED: readonly Capability[] = ['CAP_PERFMON', 'CAP_BPF'];
/** Includes all of `NEEDED`. */
const ENOUGH: Capability = 'CAP_SYS_ADMIN';

interface FeatureDescription {
  readonly name: Exclude<PreflightFeature['name'], 'privileges'>;
  readonly key: FeatureName;
  readonly option: string;
  readonly with: string;
  readonly without: string;
}

const FEATURES: readonly FeatureDescription[] = [
  {
    name: 'btf',
    key: 'btf',
    option: 'CONFIG_DEBUG_INFO_BTF',
    with: 'BPF programs adapt to this kernel',
    without: 'nothing can run',
  },
  {
    name: 'ring_buffer',
    key: 'ringBuffer',
    option: 'Linux 5.8',
    with: 'events arrive in order, and losses are counted',
    without: 'nothing can run',
  },
  {
    name: 'tp_btf',
    key: 'tpBtf',
    option: 'CONFIG_BPF_EVENTS',
    with: 'exec, exit and fork are traced with direct reads',
    without: 'exec, exit and fork are traced through raw tracepoints, a little slower',
  },
  {
    name: 'fentry',
    key: 'fentry',
    option: 'CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS',
    with: 'policies with kprobes attach in the cheapest way',
    without: 'policies with kprobes need kprobe instead',
  },
  {
    name: 'kprobe',
    key: 'kprobe',
    option: 'CONFIG_KPROBES and CONFIG_KPROBE_EVENTS',
    with: 'functions without a BPF trampoline can be traced too',
    without: 'only functions with a BPF trampoline (fentry) can be traced',
  },
  {
    name: 'kprobe_multi',
    key: 'kprobeMulti',
    option: 'CONFIG_FPROBE, Linux 5.18',
    with: 'many functions can be attached at once',
    without: 'functions are attached one by one',
  },
  {
    name: 'attach_cookie',
    key: 'attachCookie',
    option: 'Linux 5.15',
    with: 'a hook can have several functions or places',
    without: 'hooks with several functions or places, and static probes of libraries, are refused',
  },
  {
    name: 'lsm',
    key: 'lsm',
    option: 'CONFIG_BPF_LSM, and bpf in the lsm= boot parameter',
    with: 'LSM hooks can be traced',
    without: 'LSM hooks cannot be traced, but their security_ functions can, under kprobes',
  },
  {
    name: 'fmod_ret',
    key: 'fmodRet',
    option: 'CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS',
    with: 'return values can be overridden',
    without: 'return values can be overridden by kprobes only, which needs CONFIG_BPF_KPROBE_OVERRIDE',
  },
  {
    name: 'preempt_disable',
    key: 'preemptDisable',
    option: 'Linux 6.10',
    with: 'LSM hooks and uprobes miss no call, whatever the preemption model is',
    without: 'LSM hooks and uprobes can miss calls where the kernel suspends programs',
  },
  {
    name: 'uprobe',
    key: 'uprobe',
    option: 'CONFIG_UPROBE_EVENTS',
    with: 'functions of programs can be traced',
    without: 'functions of programs cannot be traced',
  },
  {
    name: 'uprobe_multi',
    key: 'uprobeMulti',
    option: 'Linux 6.6',
    with: 'many places of a program can be attached at once',
    without: 'places of a program are attached one by one',
  },
  {
    name: 'uprobe_registers',
    key: 'uprobeRegisters',
    option: 'a Linux newer than 6.18, x86-64',
    with: 'functions of programs can be overridden',
    without: 'functions of programs cannot be overridden',
  },
  {
    name: 'tracepoint',
    key: 'tracepoint',
    option: `tracefs: ${MOUNT_TRACEFS}`,
    with: 'tracepoints can be traced by their fields',
    without: 'only raw tracepoints can be traced',
  },
];

/** Returns the capabilities that loading and attaching need and that this process does not have. */
export function checkPrivileges(): { readonly missing: readonly string[] } {
  const effective = effectiveCapabilities();
  const has = (name: Capability): boolean => (effective & capabilityBits([name])) !== 0n;
  return { missing: has(ENOUGH) ? [] : NEEDED.filter((name) => !has(name)) };
}

/** Returns the effective capabilities of this process as bits; 0n if /proc does not have them. */
export function effectiveCapabilities(): bigint {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  } catch {
    return 0n;
  }
}

/** Features that use ids of types, which the kernel looks up in its own BTF. */
const NEEDS_OWN_BTF: readonly FeatureName[] = ['tpBtf', 'fentry', 'lsm', 'fmodRet', 'preemptDisable'];

export function preflight({ btf }: PreflightOptions = {}): PreflightReport {
  checkBtfOption(btf);
  let native: NativeFeatures | undefined;
  let model: PreemptionModel = 'unknown';
  let problem: string | undefined;
  try {
    const binding = loadBinding();
    native = probeFeatures(binding, btf);
    model = preemption.detect(binding).model;
  } catch (error) {
    problem = error instanceof PolytraceError ? `${error.message}; ${error.hint}` : String(error);
  }
  const { missing } = checkPrivileges();
  const has = (key: FeatureName): boolean => native?.[key].available === true;
  const canTrace = has('btf') && has('ringBuffer') && missing.length === 0;
  return {
    kernel: `${process.platform} ${release()} ${process.arch}`,
    preemption: model,
    features: [
      ...FEATURES.map((feature) => describeFeature(feature, native, missing)),
      {
        name: 'privileges',
        available: missing.length === 0,
        detail: missing.length === 0 ? '' : `missing ${missing.join(', ')}`,
        meaning:
          missing.length === 0 ? 'BPF programs may be loaded' : 'nothing can run: run as root, or add the capabilities',
      },
    ],
    canTrace,
    canAttachKprobes: canTrace && (has('fentry') || has('kprobe')),
    ...(problem === undefined ? {} : { problem }),
  };
}

function probeFeatures(binding: NativeBinding, btf: string | undefined): NativeFeatures {
  try {
    return binding.probeFeatures(btf);
  } catch (error) {
    throw toChoiceError(error);
  }
}

function describeFeature(
  feature: FeatureDescription,
  native: NativeFeatures | undefined,
  missing: readonly string[],
): PreflightFeature {
  const found = native?.[feature.key];
  const available = found?.available === true;
  return {
    name: feature.name,
    available,
    detail: available
      ? featureRestriction(feature, native)
      : found === undefined
        ? 'not known'
        : native?.ownBtf.available === false && NEEDS_OWN_BTF.includes(feature.key)
          ? `${found.reason}: needs BTF of the kernel itself, which a file does not replace`
          : formatReason(feature, found.reason, missing),
    meaning: available ? feature.with : feature.without,
  };
}

/** Returns the restriction of an available feature; empty if there is none. */
function featureRestriction({ key }: FeatureDescription, native: NativeFeatures | undefined): string {
  if (key !== 'fmodRet' || native?.fmodRetListed.available === true) return '';
  return 'only functions called security_…: others need CONFIG_FUNCTION_ERROR_INJECTION';
}

function formatReason({ option }: FeatureDescription, errno: string, missing: readonly string[]): string {
  if (errno === 'EPERM' && missing.length > 0) return `${errno}: ${missing.join(', ')} missing`;
  return `${errno}: needs ${option}`;
}

/** Returns the reason why a feature is missing: the errno, and the requirements of the feature. */
export function missingReason(name: FeatureName, features: NativeFeatures): string {
  const { reason } = features[name];
  const feature = FEATURES.find(({ key }) => key === name);
  return feature === undefined ? reason : formatReason(feature, reason, checkPrivileges().missing);
}
