// The kernel's part: instructions that an operation takes in addition while a tracer is attached. They are counted in the virtual
// machine, where the clock advances one nanosecond for each instruction.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { corpus } from '../test/vm/vm.mjs';
import { countInVm } from './count.mjs';
import { number, type Rows } from './table.mjs';

/** The workload is measured beside this: nothing, or a tracer. */
export interface Configuration {
  readonly name: string;
  readonly attach?: string;
  readonly policy?: string;
  /** True if its hooks do not remember paths that no selector can match. */
  readonly forgetful?: boolean;
}

/** The counts of guest.mts: instructions by the step of the workload. */
export interface Counted {
  readonly name: string;
  readonly counts: Readonly<Record<string, number>>;
  /** Instructions of the tracer's programs for one vfork, exec and exit, by the name of the program. */
  readonly programs?: Readonly<Record<string, number>>;
}

/** The policy that Tetragon publishes for file monitoring. */
const upstream = join(corpus, 'quickstart__file_monitoring.yaml');

const hasUpstream = existsSync(upstream); // not on every machine
const example = 'examples/file-monitoring.yaml';
/** The policy that is held to limits. Our example hooks the same function of the kernel, and costs the same there. */
const limited = hasUpstream ? 'upstream policy' : 'our example';

/** The same policy, but no hook remembers paths that no selector can match. */
const forgetful = 'no memory';

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
  { name: forgetful, attach: 'auto', policy: hasUpstream ? upstream : example, forgetful: true },
];

interface Operation {
  readonly key: string;
  readonly name: string;
  /** A constant that was counted once, in the same way; docs/benchmarks.md says how. */
  readonly tetragon?: number;
  /** Instructions that the configuration of this name may add. */
  readonly limit?: readonly [configuration: string, instructions: number];
  /** The first configuration may add at most a tenth more than the second one. */
  readonly near?: readonly [configuration: string, other: string];
}

/** The parts of the row before them, which are counted only in the programs of the base sensor. */
const parts: readonly { readonly name: string; readonly programs: readonly string[] }[] = [
  { name: 'its fork', programs: ['handle_fork'] },
  { name: 'its exec', programs: ['handle_exec', 'handle_prepare'] },
  { name: 'its exit', programs: ['handle_exit', 'handle_free'] },
];

const operations: readonly Operation[] = [
  { key: 'pread-2', name: 'pread, no match, depth 2', tetragon: 12_930, limit: [limited, 430] },
  { key: 'pread-7', name: 'pread, no match, depth 7', tetragon: 17_220, limit: [limited, 430] },
  { key: 'pread-match', name: 'pread, match', tetragon: 23_500, limit: [limited, 1_750] },
  { key: 'pread-first', name: 'pread, first of a file', near: [limited, forgetful] },
  { key: 'pread-renames', name: 'pread, among renames', near: [limited, forgetful] },
  { key: 'pwrite-2', name: 'pwrite, no match, depth 2' },
  { key: 'open-close', name: 'open + close', limit: [limited, 100] },
  { key: 'exec', name: 'vfork + exec + exit + wait', tetragon: 9_050, limit: ['base sensor', 3_000] },
];

export interface KernelTable {
  readonly rows: Rows;
  /** A sentence for each operation that is above its limit. */
  readonly tooMany: readonly string[];
}

async function count(kernel: string, wanted: readonly Configuration[], steps = ''): Promise<readonly Counted[]> {
  const script = `guest.mts /run/vm '${JSON.stringify(wanted)}' ${steps}`;
  return JSON.parse(await countInVm(kernel, script, 'counts.json')) as readonly Counted[];
}

export async function kernelTable(kernel: string): Promise<KernelTable> {
  const all = await count(kernel, configurations);
  const [base, ...rest] = all;
  if (base === undefined) throw new Error('the guest has counted nothing');
  const head = ['operation', base.name, ...rest.map(({ name }) => name), 'Tetragon'];
  const rows = operations.map(({ key, name, tetragon }) => [
    name,
    number(base.counts[key] ?? NaN),
    ...rest.map((counted) => number(Math.round(addedBy(counted, base, key)))),
    tetragon === undefined ? '' : number(tetragon),
  ]);
  const partRows = parts.map(({ name, programs }) => [
    name,
    '',
    ...rest.map((counted) => number(Math.round(takenBy(counted, programs)))),
    '',
  ]);
  return { rows: [head, ...rows, ...partRows], tooMany: limitsOf(all).tooMany };
}

/** Counts the operations that have a limit, and nothing else. */
export async function countLimited(kernel: string): Promise<readonly Counted[]> {
  const limits = operations.filter(({ limit, near }) => limit !== undefined || near !== undefined);
  const names = new Set(limits.flatMap(({ limit, near = [] }) => [limit?.[0], ...near]));
  const wanted = configurations.filter(({ name, attach }) => attach === undefined || names.has(name));
  // an exec is counted in any case
  const steps = limits.filter(({ key }) => key !== 'exec').map(({ key }) => key);
  return count(kernel, wanted, steps.join(','));
}

/** The instructions that configurations add to operations, beside the most that they may add. */
export function limitsOf([base, ...others]: readonly Counted[]): KernelTable {
  if (base === undefined) throw new Error('the guest has counted nothing');
  const rows = [['operation', 'beside', 'instructions', 'at most']];
  const tooMany: string[] = [];
  for (const { key, name, limit, near } of operations) {
    const addedIn = (configuration: string): number => {
      const counted = others.find((each) => each.name === configuration);
      return counted === undefined ? NaN : Math.round(addedBy(counted, base, key));
    };
    const [configuration, atMost] = limit ?? [
      near?.[0] ?? '',
      near === undefined ? NaN : Math.round(1.1 * addedIn(near[1])),
    ];
    if (configuration === '') continue;
    const added = addedIn(configuration);
    rows.push([name, configuration, number(added), number(atMost)]);
    if (!(added <= atMost))
      tooMany.push(`'${name}': ${configuration} adds ${number(added)} instructions, more than ${number(atMost)}`);
  }
  return { rows, tooMany };
}

export function addedBy(counted: Counted, base: Counted, key: string): number {
  return key === 'exec' ? takenBy(counted) : (counted.counts[key] ?? NaN) - (base.counts[key] ?? NaN);
}

/** Instructions of these programs, or of all, for one vfork, exec and exit. */
export function takenBy({ programs = {} }: Counted, names: readonly string[] = Object.keys(programs)): number {
  return names.reduce((sum, name) => sum + (programs[name] ?? 0), 0);
}
