// npm run bench [-- --host | --kernel] [-- --write]: prints one table; --write also puts it into docs/benchmarks.md.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkout } from '../test/vm/vm.mjs';

const { values } = parseArgs({
  options: { host: { type: 'boolean' }, kernel: { type: 'boolean' }, write: { type: 'boolean' } },
});
const all = !values.host && !values.kernel;

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}

const parts = [
  `# Benchmarks

Made by \`npm run bench -- --write\` at commit ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: checkout, encoding: 'utf8' }).trim()}.`,
];

if (all || values.kernel) {
  const { kernelTable } = await import('./kernel.mjs');
  parts.push(`## In the kernel: instructions

Linux 6.12 under QEMU's instruction counting, which repeats to well under one per cent for all rows but the last. The first column is the operation by
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

${table(await kernelTable('6.12'))}`);
}
if (all || values.host) {
  const { hostTable } = await import('./host.mjs');
  parts.push(`## In user space: events a second

One core of ${cpus()[0].model.trim()}, Node.js ${process.version}: records that no kernel made, through the same reader, process cache
and iterators as any.

${table(await hostTable())}`);
}

const text = parts.join('\n\n') + '\n';
console.log(`\n${text}`);
if (values.write) writeFileSync(join(checkout, 'docs/benchmarks.md'), text);
