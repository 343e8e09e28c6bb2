// npm run bench [-- --host | --kernel | --filters] [-- --write]: prints tables; --write also puts them into docs/benchmarks.md,
// beside those that are there. Fails when the cost of a hit grows with the number of values or selectors.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkout } from '../test/vm/vm.mjs';
import { table } from './table.mjs';

const KERNEL = '6.12';

const { values } = parseArgs({
  options: {
    host: { type: 'boolean' },
    kernel: { type: 'boolean' },
    filters: { type: 'boolean' },
    write: { type: 'boolean' },
  },
});
const all = !values.host && !values.kernel && !values.filters;

async function kernelPart() {
  const { kernelTable } = await import('./kernel.mjs');
  return `Linux 6.12 under QEMU's instruction counting, which repeats to well under one per cent for all rows but the last. The first column is the operation by
itself, the others are what each tracer adds while its reader is paused. "Tetragon": its main branch of August 2026 with the
upstream policy (a match with its agent running), and the exec with its base sensor only; see architecture.md. Tetragon's figures
are quoted, not measured here, and their conditions may differ in detail.

The exec row is measured in another way than the others and than Tetragon's figure, so it is no like-for-like comparison. The
difference of two runs, as in the other rows, was tried first and says nothing: it came out between -31,000 and +22,000, as an exec
allocates pages and varies by more than a tracer adds. The row has instead what the kernel counts inside the programs
(\`bpf_stats_enabled\`) and 136 for each call of one; what a tracer costs outside its programs is not in it. Processes are made by vfork.
The first column is the least of three runs there too, and varies by some 10 per cent. Measured once
as a difference after all, by alternating three times 1,000 execs without and with the base sensor in one guest and comparing lower
quartiles, the base sensor adds 1,485, 3,556 and 3,130.

${table(await kernelTable(KERNEL))}`;
}

async function filterPart() {
  const { filterTables } = await import('./filters.mjs');
  const { filters, scaling } = await filterTables(KERNEL);
  if (scaling.broken.length > 0) {
    console.error(`bench: a hit costs too much more: ${scaling.broken.join('; ')}`);
    process.exitCode = 1;
  }
  return `Counted in the same way. Each operation is hooked by one policy with one filter, attached in one way and then in the other. "Empty" is
what a program that does nothing adds to the operation when it is attached to the same function in the same way, "with filter" what
our program adds; the difference is what the program itself takes. Where a call matches, that includes the event, so the rows without a
filter tell what an event costs. The open is followed by a close, and the connection is
refused; that one varies by some 100 instructions from run to run.

${table(filters, 2)}

What a hit adds, the event included, with one value or selector and with many (fentry). \`npm run bench\` fails where the ratio
is above the rule.

${table(scaling.rows)}`;
}

async function hostPart() {
  const { hostTable } = await import('./host.mjs');
  return `One core of ${cpus()[0].model.trim()}, Node.js ${process.version}: records that no kernel made, through the same reader, process cache
and iterators as any.

${table(await hostTable())}`;
}

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: checkout, encoding: 'utf8' }).trim();
const sections = [
  { title: 'In the kernel: instructions', wanted: values.kernel, make: kernelPart },
  { title: 'In the kernel: single filters', wanted: values.kernel || values.filters, make: filterPart },
  { title: 'In user space: events a second', wanted: values.host, make: hostPart },
];

const file = join(checkout, 'docs/benchmarks.md');
const [, ...written] = readFileSync(file, 'utf8').split(/^## /m);
const texts = [];
for (const { title, wanted, make } of sections) {
  const before = written.find((text) => text.startsWith(`${title}\n`));
  if (all || wanted) {
    const text = `## ${title}\n\nAt commit ${commit}. ${await make()}\n`;
    console.log(`\n${text}`);
    texts.push(text);
  } else if (before) texts.push(`## ${before.trimEnd()}\n`);
}
if (values.write) writeFileSync(file, ['# Benchmarks\n\nMade by `npm run bench -- --write`.\n', ...texts].join('\n'));
