/**
 * The probes of GetInfo: the features of the kernel, and names by which Tetragon's tests of policies decide whether they can run.
 * Such a probe says whether policies that need the feature work here, also where this agent does it in another way.
 */
import { existsSync } from 'node:fs';
import type { PreflightReport } from 'polytrace';

export interface Probe {
  readonly Name: string;
  readonly Enabled: boolean;
}

type Feature = PreflightReport['features'][number]['name'];
type Test = (has: (feature: Feature) => boolean, isSince: (version: readonly [number, number]) => boolean) => boolean;

/** The base sensor does these without a feature that a kernel could lack. */
const ALWAYS: Test = () => true;

/** Names that are missing are not known to work: copy_from_user_str. */
const TESTS: Readonly<Record<string, Test>> = {
  audit_loginuid: () => existsSync('/proc/self/loginuid'),
  batch_update: ALWAYS,
  buildid: ALWAYS,
  fmodret: (has) => has('fmod_ret'),
  fmodret_syscall: (has) => has('fmod_ret') || has('kprobe'),
  get_func_ret: (has, isSince) => has('fentry') && isSince([5, 17]),
  large: ALWAYS,
  link_pin: (_, isSince) => isSince([5, 15]),
  missed_stats_kprobe: (has, isSince) => has('kprobe') && isSince([6, 7]),
  missed_stats_kprobe_multi: (has, isSince) => has('kprobe_multi') && isSince([6, 7]),
  mix_bpf_and_tail_calls: ALWAYS,
  override_return: (has) => has('fmod_ret') || has('kprobe'),
  // registers are the only thing of a program that an action changes
  probe_write_user: () => false,
  signal: ALWAYS,
  substring_kfunc: ALWAYS,
  uprobe_refctroff: (has) => has('uprobe'),
  uprobe_regs_change: (has) => has('uprobe_registers'),
};

export function listProbes({ features, kernel }: Pick<PreflightReport, 'features' | 'kernel'>): Probe[] {
  const own = features.map(({ name, available }) => ({ Name: name, Enabled: available }));
  const has = (feature: Feature): boolean => features.some(({ name, available }) => name === feature && available);
  const [major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(kernel) ?? []).slice(1).map(Number);
  const isSince = ([first, second]: readonly [number, number]): boolean =>
    major > first || (major === first && minor >= second);
  return [...own, ...Object.entries(TESTS).map(([Name, test]) => ({ Name, Enabled: test(has, isSince) }))];
}
