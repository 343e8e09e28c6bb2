#!/usr/bin/env node
// npm run test:kernels [-- KERNEL...]: tries each way to attach a hook on each kernel, runs the core of the kernel tests there,
// and prints one table. It takes about ten minutes for a kernel. The table is kept in build/kernels.md. A test that fails makes
// the status 1; a way that a kernel does not have makes a row.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findKernel } from './kernels.mjs';
import { checkout, runInVm } from './vm.mjs';

const KERNELS = ['5.10', '6.1', '6.12', 'newest', 'sid'];

/** What the base sensor and each kind of hook must do on every kernel: the events of the file-monitoring policy by each way. */
const CORE = [
  'test/kernel/scenario.test.ts',
  'test/native/tracepoints.test.ts',
  'test/native/uprobes.test.ts',
  'test/native/usdts.test.ts',
];

/** Kinds of hooks with the ways to attach them, in the order of the table. */
const ROWS = [
  ['kprobes, fentries', 'fentry'],
  ['kprobes, fentries', 'fmod_ret'],
  ['kprobes', 'kprobe'],
  ['kprobes', 'kprobe.multi'],
  ['lsmhooks', 'lsm'],
  ['tracepoints', 'tracepoint'],
  ['tracepoints', 'raw_tracepoint'],
  ['uprobes', 'uprobe'],
  ['uprobes', 'uprobe.multi'],
  ['usdts', 'usdt'],
];

const kernels = process.argv.slice(2);
const columns = [];
for (const kernel of kernels.length > 0 ? kernels : KERNELS) columns.push(await columnOf(kernel));

const cell = (text) => ` ${text} |`;
const table = [
  ['hook', 'attached by', ...columns.map(({ release }) => release)],
  ['---', '---', ...columns.map(() => '---')],
  ['base sensor', 'raw_tracepoint', ...columns.map(({ trial }) => verdict(trial.canTrace))],
  ...ROWS.map(([kind, way]) => [kind, way, ...columns.map(({ trial }) => verdict(trial.ways[way]))]),
  ['core tests', 'each of them', ...columns.map(({ counts }) => countsText(counts))],
];
const text = table.map((row) => `|${row.map(cell).join('')}`).join('\n');
mkdirSync(join(checkout, 'build'), { recursive: true });
writeFileSync(join(checkout, 'build/kernels.md'), `${text}\n`);
console.log(`\n${text}`);
for (const { release, trial } of columns) for (const problem of trial.problems) console.log(`${release}: ${problem}`);
if (columns.some(({ trial, counts }) => !trial.canTrace || trial.problems.length > 0 || counts.failed !== 0))
  process.exitCode = 1;

function verdict(runs) {
  return runs ? 'runs' : 'no';
}

function countsText({ passed, failed, skipped }) {
  return [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
  ].join(', ');
}

/** Boots the kernel twice: to try each way, and for the tests. */
async function columnOf(kernel) {
  findKernel(kernel);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-kernels-'));
  try {
    const code = "require('./dist').tryTracing().then((trial) => console.log(JSON.stringify(trial)))";
    const tried = await runInVm({
      kernel,
      folder,
      timeoutMs: 900_000,
      script: `uname -r >/run/vm/release\nnode -e "${code}" >/run/vm/trial`,
    });
    if (tried.status !== 0) throw new Error(`kernel ${kernel}: tryTracing() ended with status ${tried.status}`);
    const release = readFileSync(join(folder, 'release'), 'utf8').trim();
    const trial = JSON.parse(readFileSync(join(folder, 'trial'), 'utf8'));
    console.log(`\n${release}: ${JSON.stringify(trial.ways)}`);
    const counts = join(folder, 'counts-here');
    const words = ['test/vm/run-suite.mjs', '--kernel', kernel, '--counts', counts, ...CORE];
    spawnSync(process.execPath, words, { cwd: checkout, stdio: 'inherit' });
    const none = { passed: 0, failed: 1, skipped: [] };
    return { release, trial, counts: existsSync(counts) ? JSON.parse(readFileSync(counts, 'utf8')) : none };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
