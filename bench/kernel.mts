// Counts the instructions that a tracer adds to operations of the kernel. They are counted in the virtual machine,
// where the clock advances one nanosecond for each instruction.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { corpus } from '../test/vm/vm.mjs';
import { countInVm } from './count.mjs';
import { formatNumber, type Rows } from './table.mjs';

/** A tracer with which the workload is measured. Without `attach`, there is no tracer. */
export interface Configuration {
  readonly name: string;
  readonly attach?: string;
  readonly policy?: string;
  /** True if the hooks have no negative cache of paths. */
  readonly uncached?: boolean;
}

/** The counts of guest.mts: instructions by the step of the workload. */
export interface InstructionCounts {
  readonly name: string;
  readonly counts: Readonly<Record<string, number>>;
  /** Instructions of the tracer's programs for one vfork, exec and exit, by the name of the program. */
  readonly programs?: Readonly<Record<string, number>>;
}

/** The policy that Tetragon publishes for file monitoring. */
const upstream = join(corpus, 'quickstart__file_monitoring.yaml');

const hasUpstream = existsSync(upstream); // not on every machine
const example = 'policies/file-monitoring.yaml';
/** The configuration that has limits. They are those of the upstream policy: the example policy costs more. */
const limitedConfiguration = hasUpstream ? 'upstream policy' : 'our example';

/** The configuration with the same policy whose hooks have no negative cache. */
const UNCACHED = 'no cache';

const configurations: readonly Configuration[] = [
  { name: 'nothing' },
  { name: 'base sensor', attach: 'auto' },
  { name: 'our example', attach: 'auto', policy: example },
  ...(hasUpstream
    ? [
        { name: 'upstream policy', attach: 'auto', policy: upstream },
        { name: 'kprobes', attach: 'kprobe', policy: upstream },
      ]
    : []),
  { name: UNCACHED, attach: 'auto', policy: hasUpstream ? upstream : example, uncached: true },
];

interface Operation {
  readonly key: string;
  readonly name: string;
  /** Instructions of Tetragon: a constant that was counted once. docs/benchmarks.md explains how. */
  readonly tetragon?: number;
  /** Instructions that the configuration of this name may add. */
  readonly limit?: readonly [configuration: string, instructions: number];
  /** The first configuration may add at most a tenth more than the second one. */
  readonly near?: readonly [configuration: string, other: string];
}

/** Parts of the exec row. They are counted only in the programs of the base sensor. */
const parts: readonly { readonly name: string; readonly programs: readonly string[] }[] = [
  { name: 'its fork', programs: ['handle_fork'] },
  { name: 'its exec', programs: ['handle_exec', 'handle_prepare'] },
  { name: 'its exit', programs: ['handle_exit', 'handle_free'] },
];

/**
 * Operations of a hook with the negative cache may cost this many times what they cost without it. The goal is 1.1. Like each limit
 * below, it is at least 3 % above the worst of ten runs.
 */
const NEAR = 1.15;

const operations: readonly Operation[] = [
  { key: 'pread-2', name: 'pread, no match, depth 2', tetragon: 12_930, limit: [limitedConfiguration, 458] },
  { key: 'pread-7', name: 'pread, no match, depth 7', tetragon: 17_220, limit: [limitedConfiguration, 458] },
  { key: 'pread-overlay', name: 'pread, no match, overlayfs', limit: [limitedConfiguration, 941] },
  { key: 'pread-match', name: 'pread, match', tetragon: 23_500, limit: [limitedConfiguration, 1_921] },
  { key: 'pread-first', name: 'pread, first of a file', near: [limitedConfiguration, UNCACHED] },
  { key: 'pread-renames', name: 'pread, among renames', near: [limitedConfiguration, UNCACHED] },
  { key: 'pread-100', name: 'pread, name of 100 bytes', limit: [limitedConfiguration, 499] },
  { key: 'pread-in-turn', name: 'pread, 300 files in turn', limit: [limitedConfiguration, 482] },
  { key: 'pread-in-turns', name: 'pread, 10,000 files in turn' },
  { key: 'pread-busy', name: 'pread, a rename every 100', limit: [limitedConfiguration, 509] },
  { key: 'pread-etc', name: 'pread, beside a value' },
  { key: 'pread-proc', name: 'pread, /proc/version', limit: [limitedConfiguration, 456] },
  { key: 'pread-proc-pid', name: 'pread, /proc/1/stat', limit: [limitedConfiguration, 470] },
  { key: 'pread-memfd', name: 'pread, memfd', limit: [limitedConfiguration, 331] },
  { key: 'pipe', name: 'write + read, pipe', limit: [limitedConfiguration, 535] },
  { key: 'sockets', name: 'write + read, Unix socket', limit: [limitedConfiguration, 594] },
  { key: 'pwrite-2', name: 'pwrite, no match, depth 2' },
  { key: 'open-close', name: 'open + close', limit: [limitedConfiguration, 100] },
  { key: 'exec', name: 'vfork + exec + exit + wait', tetragon: 9_050, limit: ['base sensor', 3_040] },
];

/** The operations of `preemptibleTable`. */
const PREEMPTIBLE_STEPS: readonly string[] = ['pread-2', 'pread-7', 'pread-match', 'open-close'];

export interface KernelTable {
  readonly rows: Rows;
  /** A message for each operation that exceeds its limit. */
  readonly tooMany: readonly string[];
}

async function countInstructions(
  kernel: string,
  wanted: readonly Configuration[],
  { steps = '', append = '' } = {},
): Promise<readonly InstructionCounts[]> {
  const script = `guest.mts /run/vm '${JSON.stringify(wanted)}' ${steps}`;
  return JSON.parse(await countInVm(kernel, script, 'counts.json', append)) as readonly InstructionCounts[];
}

export async function kernelTable(kernel: string): Promise<KernelTable> {
  const all = await countInstructions(kernel, configurations);
  const [base, ...rest] = all;
  if (base === undefined) throw new Error('the guest has counted nothing');
  const head = ['operation', base.name, ...rest.map(({ name }) => name), 'Tetragon'];
  const rows = operations.map(({ key, name, tetragon }) => [
    name,
    formatNumber(base.counts[key] ?? NaN),
    ...rest.map((counted) => formatNumber(Math.round(addedInstructions(counted, base, key)))),
    tetragon === undefined ? '' : formatNumber(tetragon),
  ]);
  const partRows = parts.map(({ name, programs }) => [
    name,
    '',
    ...rest.map((counted) => formatNumber(Math.round(programInstructions(counted, programs)))),
    '',
  ]);
  return { rows: [head, ...rows, ...partRows], tooMany: checkLimits(all).tooMany };
}

/** Counts the operations of one hook on a kernel that can suspend programs, where functions are hooked by kprobes. */
export async function preemptibleTable(kernel: string): Promise<Rows> {
  const counted = operations.filter(({ key }) => PREEMPTIBLE_STEPS.includes(key));
  const wanted = configurations.filter(({ name, attach }) => attach === undefined || name === limitedConfiguration);
  const steps = PREEMPTIBLE_STEPS.join(',');
  const [base, policy] = await countInstructions(kernel, wanted, { steps, append: 'preempt=full' });
  if (base === undefined || policy === undefined) throw new Error('the guest has counted nothing');
  return [
    ['operation', base.name, policy.name],
    ...counted.map(({ key, name }) => [
      name,
      formatNumber(base.counts[key] ?? NaN),
      formatNumber(Math.round(addedInstructions(policy, base, key))),
    ]),
  ];
}

/** Counts only the operations that have a limit. */
export async function countLimited(kernel: string): Promise<readonly InstructionCounts[]> {
  const limited = operations.filter(({ limit, near }) => limit !== undefined || near !== undefined);
  const names = new Set(limited.flatMap(({ limit, near = [] }) => [limit?.[0], ...near]));
  const wanted = configurations.filter(({ name, attach }) => attach === undefined || names.has(name));
  // an exec is counted in any case
  const steps = limited.filter(({ key }) => key !== 'exec').map(({ key }) => key);
  return countInstructions(kernel, wanted, { steps: steps.join(',') });
}

/** Compares the instructions that configurations add to operations with their limits. */
export function checkLimits([base, ...others]: readonly InstructionCounts[]): KernelTable {
  if (base === undefined) throw new Error('the guest has counted nothing');
  const rows = [['operation', 'beside', 'instructions', 'at most', 'margin']];
  const tooMany: string[] = [];
  for (const { key, name, limit, near } of operations) {
    const addedIn = (configuration: string): number => {
      const counted = others.find((each) => each.name === configuration);
      return counted === undefined ? NaN : Math.round(addedInstructions(counted, base, key));
    };
    const [configuration, atMost] = limit ?? [
      near?.[0] ?? '',
      near === undefined ? NaN : Math.round(NEAR * addedIn(near[1])),
    ];
    if (configuration === '') continue;
    const added = addedIn(configuration);
    const margin = added > 0 ? `${(100 * (atMost / added - 1)).toFixed(1)} %` : '';
    rows.push([name, configuration, formatNumber(added), formatNumber(atMost), margin]);
    if (!(added <= atMost))
      tooMany.push(
        `'${name}': ${configuration} adds ${formatNumber(added)} instructions, more than ${formatNumber(atMost)}`,
      );
  }
  return { rows, tooMany };
}

export function addedInstructions(counted: InstructionCounts, base: InstructionCounts, key: string): number {
  return key === 'exec' ? programInstructions(counted) : (counted.counts[key] ?? NaN) - (base.counts[key] ?? NaN);
}

/** Instructions of the named programs for one vfork, exec and exit. By default, all programs count. */
export function programInstructions(
  { programs = {} }: InstructionCounts,
  names: readonly string[] = Object.keys(programs),
): number {
  return names.reduce((sum, name) => sum + (programs[name] ?? 0), 0);
}
