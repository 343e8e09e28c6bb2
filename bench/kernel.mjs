// The kernel's part: instructions that an operation costs more beside a tracer. Counted in the virtual machine, where the
// clock advances one nanosecond an instruction.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkout } from '../test/vm/vm.mjs';
import { countInVm } from './count.mjs';
import { number } from './table.mjs';

const corpus = process.env.POLYTRACE_CORPUS ?? resolve(checkout, '../shared/corpus/policies');
const upstream = join(corpus, 'quickstart__file_monitoring.yaml');

const configurations = [
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

/** Tetragon's published counts (docs/architecture.md says how they were made), and which of our columns they compare with. */
const operations = [
  { key: 'pread-2', name: 'pread, no match, depth 2', tetragon: 12_930, limit: 1_610, column: 'upstream policy' },
  { key: 'pread-7', name: 'pread, no match, depth 7', tetragon: 17_220, limit: 2_600, column: 'upstream policy' },
  { key: 'pread-match', name: 'pread, match', tetragon: 23_500, limit: 2_350, column: 'upstream policy' },
  { key: 'pwrite-2', name: 'pwrite, no match, depth 2', column: 'upstream policy' },
  { key: 'open-close', name: 'open + close', limit: 100, column: 'upstream policy' },
  { key: 'exec', name: 'vfork + exec + exit + wait', tetragon: 9_050, limit: 9_000, column: 'base sensor' },
];

/** Rows of text; the first is the head. */
export async function kernelTable(kernel) {
  const results = await countInVm(kernel, `guest.mjs /run/vm '${JSON.stringify(configurations)}'`, 'counts.json');
  const [base, ...rest] = results;
  const head = ['operation', base.name, ...rest.map(({ name }) => `+ ${name}`), 'target', 'Tetragon'];
  const rows = operations.map(({ key, name, tetragon, limit, column }) => [
    name,
    number(base.counts[key]),
    ...rest.map((result) => {
      const added = Math.round(key === 'exec' ? result.counts.execAdded : result.counts[key] - base.counts[key]);
      return result.name === column && added > limit ? `${number(added)} (!)` : number(added);
    }),
    limit === undefined ? '' : `≤ ${number(limit)}`,
    tetragon === undefined ? '' : number(tetragon),
  ]);
  return [head, ...rows];
}
