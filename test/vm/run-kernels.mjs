#!/usr/bin/env node
// npm run test:kernels [-- KERNEL...]: tries each mechanism to attach hooks on each kernel, runs the core of the kernel tests
// there, and prints one table, which is kept in build/kernels.md. The status is 1 if a test fails, a guest dies, or a mechanism
// runs or does not run against expectation. A kernel takes about four minutes. The limits of its two guests end it after 45.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findKernel } from './kernels.mjs';
import { checkout, runInVm } from './vm.mjs';

const KERNELS = ['5.10', '6.1', '6.12', 'newest', 'sid'];

/** The mechanisms that a kernel does not have. docs/operations.md gives the reasons. */
const MISSING = {
  '5.10': ['kprobe.multi', 'uprobe.multi', 'usdt'],
  6.1: ['kprobe.multi', 'uprobe.multi'],
};

/** The base sensor, the events of the file-monitoring policy by each mechanism, and the hook kinds of a full kernel. */
const CORE = ['test/kernel/scenario.test.ts', 'test/kernel/hook-kinds.test.ts'];

/** Hook kinds with their mechanisms, in the order of the table. */
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

const TRIAL_MS = 900_000;
const TESTS_S = 1800;

const kernels = process.argv.slice(2);
const columns = [];
for (const kernel of kernels.length > 0 ? kernels : KERNELS) columns.push(await testKernel(kernel));

const cell = (text) => ` ${text} |`;
const table = [
  ['hooks', 'attached by', ...columns.map(({ release }) => release)],
  ['---', '---', ...columns.map(() => '---')],
  ['base sensor', 'raw_tracepoint', ...columns.map(({ trial }) => formatResult(trial.canTrace))],
  ...ROWS.map(([kind, mechanism]) => [
    kind,
    mechanism,
    ...columns.map(({ trial }) => formatResult(trial.ways[mechanism])),
  ]),
  ['core tests', 'each of them', ...columns.map(({ counts }) => formatCounts(counts))],
];
const text = table.map((row) => `|${row.map(cell).join('')}`).join('\n');
mkdirSync(join(checkout, 'build'), { recursive: true });
writeFileSync(join(checkout, 'build/kernels.md'), `${text}\n`);
console.log(`\n${text}`);
const failures = columns.flatMap(listFailures);
for (const failure of failures) console.log(failure);
if (failures.length > 0) process.exitCode = 1;

function formatResult(isRunning) {
  return isRunning ? 'runs' : 'no';
}

/** A line for each unexpected result of a mechanism, and for each other failure. */
function listFailures({ kernel, release, trial, counts }) {
  const missing = MISSING[kernel] ?? [];
  const wrong = ROWS.map(([, mechanism]) => mechanism).filter(
    (each) => Boolean(trial.ways[each]) === missing.includes(each),
  );
  return [
    ...trial.problems,
    ...(trial.canTrace ? [] : ['the base sensor does not run']),
    ...wrong.map((each) => `${each}: '${formatResult(trial.ways[each])}' was not expected`),
    ...(counts.failed > 0 || counts.passed === 0 ? [`core tests: ${formatCounts(counts)}`] : []),
  ].map((line) => `FAILED ${release}: ${line}`);
}

function formatCounts({ passed, failed, skipped }) {
  return [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
  ].join(', ');
}

/** Boots the kernel twice: to try each mechanism, and for the tests. */
async function testKernel(kernel) {
  findKernel(kernel);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-kernels-'));
  try {
    const { release, trial } = await tryKernel(kernel, folder);
    console.log(`\n${release}: ${JSON.stringify(trial.ways)}`);
    return { kernel, release, trial, counts: runCoreTests(kernel, join(folder, 'counts-here')) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function tryKernel(kernel, folder) {
  const code = "require('./dist').tryTracing().then((trial) => console.log(JSON.stringify(trial)))";
  const script = `uname -r >/run/vm/release\nnode -e "${code}" >/run/vm/trial`;
  try {
    const { status } = await runInVm({ kernel, folder, timeoutMs: TRIAL_MS, script });
    if (status !== 0) throw new Error(`tryTracing() ended with status ${status}`);
    const readOutput = (name) => readFileSync(join(folder, name), 'utf8').trim();
    return { release: readOutput('release'), trial: JSON.parse(readOutput('trial')) };
  } catch (error) {
    return { release: kernel, trial: { canTrace: false, ways: {}, problems: [error.message] } };
  }
}

/** Counts a run that ends with another status than 0 as failed, even if no counted test failed. */
function runCoreTests(kernel, file) {
  const args = ['test/vm/run-suite.mjs', '--kernel', kernel, '--counts', file, '--timeout', String(TESTS_S), ...CORE];
  const { status } = spawnSync(process.execPath, args, { cwd: checkout, stdio: 'inherit' });
  const counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 0, skipped: [] };
  return status === 0 ? counts : { ...counts, failed: Math.max(counts.failed, 1) };
}
