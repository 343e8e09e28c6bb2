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
}

/** The counts of guest.mts: instructions by the step of the workload. */
export interface Counted {
  readonly name: string;
  readonly counts: Readonly<Record<string, number>>;
  /** Instructions of the tracer's programs for one exec. */
  readonly execAdded?: number;
}

/** The policy that Tetragon publishes for file monitoring. */
const upstream = join(corpus, 'quickstart__file_monitoring.yaml');

const configurations: readonly Configuration[] = [
  { name: 'nothing' },
  { name: 'base sensor', attach: 'auto' },
  { name: 'our example', attach: 'auto', policy: 'examples/file-monitoring.yaml' },
  ...(existsSync(upstream)
    ? [
        { name: 'upstream policy', attach: 'auto', policy: upstream },
        { name: 'the same, kprobes', attach: 'kprobe', policy: upstream },
      ]
    : []),
];

interface Operation {
  readonly key: string;
  readonly name: string;
  /** A constant that was counted once, in the same way; docs/benchmarks.md says how. */
  readonly tetragon?: number;
  /** Instructions that the configuration of this name may add. */
  readonly limit?: readonly [configuration: string, instructions: number];
}

const operations: readonly Operation[] = [
  { key: 'pread-2', name: 'pread, no match, depth 2', tetragon: 12_930, limit: ['upstream policy', 1_040] },
  { key: 'pread-7', name: 'pread, no match, depth 7', tetragon: 17_220, limit: ['upstream policy', 1_470] },
  { key: 'pread-match', name: 'pread, match', tetragon: 23_500, limit: ['upstream policy', 2_150] },
  { key: 'pwrite-2', name: 'pwrite, no match, depth 2' },
  { key: 'open-close', name: 'open + close', limit: ['upstream policy', 100] },
  { key: 'exec', name: 'vfork + exec + exit + wait', tetragon: 9_050, limit: ['base sensor', 3_500] },
];

export interface KernelTable {
  readonly rows: Rows;
  /** A sentence for each operation that is above its limit. */
  readonly tooMany: readonly string[];
}

export async function kernelTable(kernel: string): Promise<KernelTable> {
  const result = await countInVm(kernel, `guest.mts /run/vm '${JSON.stringify(configurations)}'`, 'counts.json');
  const [base, ...rest] = JSON.parse(result) as readonly Counted[];
  if (base === undefined) throw new Error('the guest has counted nothing');
  const head = ['operation', base.name, ...rest.map(({ name }) => name), 'Tetragon'];
  const rows = operations.map(({ key, name, tetragon }) => [
    name,
    number(base.counts[key] ?? NaN),
    ...rest.map((counted) => number(Math.round(addedBy(counted, base, key)))),
    tetragon === undefined ? '' : number(tetragon),
  ]);
  return { rows: [head, ...rows], tooMany: operations.flatMap((operation) => excessOf(operation, base, rest)) };
}

function excessOf({ key, name, limit }: Operation, base: Counted, others: readonly Counted[]): string[] {
  if (limit === undefined) return [];
  const [configuration, instructions] = limit;
  const counted = others.find((each) => each.name === configuration);
  if (counted === undefined) return []; // the upstream policy is not on every machine
  const added = Math.round(addedBy(counted, base, key));
  return added > instructions
    ? [`'${name}': ${configuration} adds ${number(added)} instructions, more than ${number(instructions)}`]
    : [];
}

export function addedBy({ counts, execAdded }: Counted, base: Counted, key: string): number {
  return (key === 'exec' ? execAdded : (counts[key] ?? NaN) - (base.counts[key] ?? NaN)) ?? NaN;
}
