// Runs tiers of tests and adds up their results: node scripts/run-tests.mjs [TIER...] [--each]. The default is all
// tiers except kubernetes, and `all` is every one. Skipped and failed tests are listed at the end. With REQUIRE_ALL=1, a skipped test is a
// failure. The native tier runs in a mount namespace like that of a new machine. With --each, each of its files runs in
// a namespace of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kubernetesFolder } from '../test/kubernetes/binaries.mjs';
import { vmObstacle } from '../test/vm/vm.mjs';
import { freshMountsObstacle, inFreshMounts } from './fresh-mounts.mjs';

const root = join(fileURLToPath(import.meta.url), '../..');
const requireAll = process.env.REQUIRE_ALL === '1';
const work = mkdtempSync(join(tmpdir(), 'polytrace-tests-'));

const NIGHTLY = process.env.POLYTRACE_NIGHTLY === '1';

const mocha = [
  'node_modules/mocha/bin/mocha.js',
  ...(process.stdout.isTTY ? [] : ['--no-color']),
  '--require',
  'tsx/cjs',
  '--require',
  './test/fixed-seed.cjs',
  '--reporter',
  'test/reporter.cjs',
  // Limit for a test that hangs. A busy machine needs more than mocha's default of two seconds.
  '--timeout',
  '30000',
];
const c8 = ['node_modules/c8/bin/c8.js', '--reporter', 'text-summary'];
// The policy language has a minimum coverage. test/transpile.cjs compiles these tests, because the code that tsx adds
// to a file counts as branches.
const policyCoverage = [...c8, '--include', 'lib/policy', '--check-coverage', '--lines', '95', '--branches', '95'];
/** Of other sources only at night: it takes time, and has no minimum. */
const coverage = (folder) => (NIGHTLY ? [...c8, '--include', folder] : []);
const transpiledMocha = mocha.map((arg) => (arg === 'tsx/cjs' ? './test/transpile.cjs' : arg));

// These tests need trusted executables. In another mount namespace, no executable is trusted.
const INITIAL_MOUNTS = ['forgery', 'long-paths', 'running-processes'].map((name) => `test/native/${name}.test.ts`);

const INSTRUCTIONS = 'test/bench/kernel.test.ts';

const kernelTests = (...names) => names.map((name) => `test/kernel/${name}.test.ts`);
/** By day, the older kernel runs what differs there (programs, kprobes), and most of what runs only there. */
const OLDER_KERNEL_BY_DAY = kernelTests(
  ...['enforcement', 'loader', 'loss', 'matrix', 'paths'],
  ...['agent', 'find-hooks', 'tutorial'],
);
/** Tests that only this kernel can run, and those of its kprobes; at night, of its mounts and calls. It is preemptible. */
const NEWEST_KERNEL = kernelTests('modifying-actions', 'groups', 'preemption', ...(NIGHTLY ? ['policy-evasion'] : []));
const PREEMPTIBLE = { files: kernelTests('preemption'), append: 'preempt=full' };

/** A run outside of a guest hangs if it takes this time. On an idle machine, the longest takes a quarter of it. */
const RUN_MS = 45 * 60_000;

/** A guest waits for almost a third of its time, so two processors have time for three. More would need much memory. */
const GUEST_SHARE = 0.7;
const PROCESSORS = Math.min(availableParallelism(), 4) * 1.05;

/** The summary names the files that take this time. */
const SLOW_SECONDS = 20;

// `alone`: it measures time, so it runs after all others. `share`: of one processor, on average; 1 if missing.
// `hasLimit`: the program ends a run that hangs by itself.
const runs = [
  {
    tier: 'bench',
    title: 'short benchmark',
    args: [...mocha, 'test/bench/*.test.ts', '--ignore', INSTRUCTIONS],
    alone: true,
  },
  nativeRun('native', ['test/native/**/*.test.ts', ...INITIAL_MOUNTS.flatMap((file) => ['--ignore', file])]),
  // in three guests, so that a busy machine does not reach the time limit of a guest
  ...['1/3', '2/3', '3/3'].map((part) => kernelRun('6.12', { part })),
  nativeRun('native: initial mounts', INITIAL_MOUNTS, false),
  nativeRun('native: agent', ['agent/test/native/**/*.test.ts']),
  // NATS servers of the tests on loopback; two of the agents trace this kernel
  nativeRun('native: fleet', ['agent/test/fleet/**/*.test.ts']),
  // Each file uses its own cluster. The programs are built once for a machine.
  {
    tier: 'kubernetes',
    title: 'kubernetes',
    args: [...mocha, 'test/kubernetes/*.test.ts'],
    obstacle: kubernetesObstacle,
  },
  ...(NIGHTLY
    ? [...['1/3', '2/3', '3/3'].map((part) => kernelRun('6.1', { part })), kernelRun('6.12', PREEMPTIBLE)]
    : [kernelRun('6.1', { files: OLDER_KERNEL_BY_DAY })]),
  kernelRun('newest', { files: NEWEST_KERNEL }),
  {
    tier: 'unit',
    title: 'unit: the rest',
    args: [...coverage('lib'), ...mocha, '--ignore', 'test/unit/policy/**', 'test/unit/**/*.test.ts'],
  },
  {
    tier: 'unit',
    title: 'unit: policy',
    args: [...policyCoverage, ...transpiledMocha, 'test/unit/policy/**/*.test.ts'],
  },
  {
    tier: 'unit',
    title: 'unit: agent',
    args: [...coverage('agent/lib'), ...mocha, 'agent/test/unit/**/*.test.ts'],
  },
  {
    tier: 'browser',
    title: 'browser',
    args: [...mocha, 'agent/test/browser/*.test.ts'],
    obstacle: browserObstacle,
  },
  // they are counted, so that nothing else on the machine changes them
  { tier: 'bench', title: 'instructions in the kernel', args: [...mocha, INSTRUCTIONS] },
  { tier: 'fuzz', title: 'short fuzz', args: [...mocha, 'test/fuzz/fuzz.test.ts'] },
];

function nativeRun(title, files, isFresh = true) {
  return { tier: 'native', title, args: [...mocha, ...files], obstacle: nativeObstacle, inFreshMounts: isFresh };
}

function nativeFileRuns() {
  return ['test/native', 'agent/test/native', 'agent/test/fleet']
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
    .filter((name) => name.endsWith('.test.ts'))
    .map((file) => nativeRun(`native: ${basename(file, '.test.ts')}`, [file], !INITIAL_MOUNTS.includes(file)));
}

/** `append`: more kernel parameters. `part`: of all test files, see run-suite.mjs. */
function kernelRun(kernel, { files = [], append, part } = {}) {
  return {
    tier: 'kernel',
    title: ['kernel', kernel, append, part].filter((text) => text !== undefined).join(' '),
    args: (counts) => [
      ...['test/vm/run-suite.mjs', '--kernel', kernel, '--counts', counts],
      ...(append === undefined ? [] : ['--append', append]),
      ...(part === undefined ? [] : ['--part', part]),
      ...files,
    ],
    obstacle: vmObstacle,
    share: GUEST_SHARE,
    hasLimit: true,
  };
}

function kubernetesObstacle() {
  return existsSync(kubernetesFolder)
    ? nativeObstacle()
    : 'kube-apiserver is not built: npm run test:kubernetes does it';
}

function browserObstacle() {
  return existsSync('/usr/bin/chromium') ? undefined : 'it needs the Debian package chromium: scripts/setup.sh --vm';
}

function nativeObstacle() {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid() !== 0) return 'it needs root';
  if (!existsSync(join(root, 'build/Release/polytrace.node'))) return 'the addon is not built';
  return freshMountsObstacle();
}

/**
 * Executes a run. Returns the numbers of passed and failed tests, the titles of skipped tests, and reports of failed
 * tests. With `isBuffered`, the output is printed when the run has ended, because another run prints at the same time.
 */
async function executeRun({ title, args, obstacle, inFreshMounts: isFresh = false, hasLimit = false }, isBuffered) {
  const heading = `\n==== ${title} ${'='.repeat(110 - title.length)}`;
  const reason = obstacle?.();
  if (!isBuffered || reason !== undefined) console.log(heading);
  if (reason !== undefined) {
    console.log(`SKIPPED: ${reason}`);
    return { passed: 0, failed: 0, skipped: [`all of ${title}: ${reason}`], reports: [], seconds: {} };
  }
  const counts = join(work, `${title.replaceAll(/\W+/g, '-')}.json`);
  const command = [process.execPath, ...(typeof args === 'function' ? args(counts) : args)];
  const [file, ...fileArgs] = isFresh ? inFreshMounts(command) : command;
  const env = { ...process.env, POLYTRACE_COUNTS: counts };
  const log = isBuffered ? `${counts}.log` : undefined;
  const output = log === undefined ? 'inherit' : openSync(log, 'w');
  const child = spawn(file, fileArgs, { cwd: root, env, stdio: ['ignore', output, output] });
  const timer = hasLimit ? undefined : setTimeout(() => child.kill('SIGKILL'), RUN_MS);
  const [status, signal] = await once(child, 'exit');
  clearTimeout(timer);
  if (log !== undefined) {
    closeSync(output);
    console.log(`${heading}\n${readFileSync(log, 'utf8')}`);
  }
  const end = signal === null ? `status ${status}` : `signal ${signal} after ${RUN_MS / 60_000} minutes at most`;
  return toResult(title, status, existsSync(counts) ? JSON.parse(readFileSync(counts, 'utf8')) : undefined, end);
}

/** Converts the counts of a run. A run counts as one failure if it fails without a failed test, or has no test. */
function toResult(title, status, counts, end) {
  const nothing = { passed: 0, failed: 0, skipped: [], reports: [], seconds: {} };
  const { passed, failed, skipped, reports, seconds } = counts ?? nothing;
  const isSilent = failed === 0 && (status !== 0 || passed + skipped.length === 0);
  if (isSilent) reports.push(`failed with ${end}, no test named`);
  const addTitle = (texts) => texts.map((each) => `${title}: ${each}`);
  const all = { skipped: addTitle(skipped), reports: addTitle(reports) };
  return { passed, failed: failed + (isSilent ? 1 : 0), ...all, seconds };
}

/** The files of a run that took longest, on a line of their own. */
function listSlowFiles(seconds) {
  const slow = Object.entries(seconds)
    .filter(([, each]) => each >= SLOW_SECONDS)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 12)
    .map(([name, each]) => `${name} ${each.toFixed(0)}`);
  return slow.length > 0 ? `\n    slowest: ${slow.join(', ')}` : '';
}

/** Starts each run as soon as the processors have time for it, the first ones first. Only the first one prints at once. */
async function runBesideEachOther(waiting, runAndAdd) {
  const running = new Map();
  let isFirst = true;
  while (waiting.length > 0 || running.size > 0) {
    const used = [...running.values()].reduce((sum, each) => sum + each, 0);
    const next = waiting.find(({ share = 1 }) => used === 0 || used + share <= PROCESSORS);
    if (next === undefined) {
      await Promise.race(running.keys());
      continue;
    }
    waiting.splice(waiting.indexOf(next), 1);
    const ended = runAndAdd(next, !isFirst).finally(() => running.delete(ended));
    running.set(ended, next.share ?? 1);
    isFirst = false;
  }
}

async function main() {
  const argv = process.argv.slice(2);
  const each = argv.includes('--each');
  const tiers = argv.filter((arg) => arg !== '--each');
  const unknown = tiers.find((tier) => tier !== 'all' && !runs.some((run) => run.tier === tier));
  if (unknown !== undefined)
    throw new Error(`no tier '${unknown}': all, unit, browser, bench, fuzz, native, kernel, kubernetes`);
  const total = { passed: 0, failed: 0, skipped: [], reports: [] };
  const summary = [];
  const runAndAdd = async (run, isBuffered) => {
    const started = Date.now();
    const { passed, failed, skipped, reports, seconds } = await executeRun(run, isBuffered);
    const all = ((Date.now() - started) / 1000).toFixed(0);
    const counts = `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
    summary.push(`${run.title}: ${counts} in ${all} s${listSlowFiles(seconds)}`);
    total.passed += passed;
    total.failed += failed;
    total.skipped.push(...skipped);
    total.reports.push(...reports);
  };
  const all = each ? [...runs.filter(({ tier }) => tier !== 'native'), ...nativeFileRuns()] : runs;
  const isWanted = (tier) =>
    tiers.includes('all') || (tiers.length === 0 ? tier !== 'kubernetes' : tiers.includes(tier));
  const wanted = all.filter(({ tier }) => isWanted(tier));
  const isAlone = ({ alone }) => alone === true;
  await runBesideEachOther(
    wanted.filter((run) => !isAlone(run)),
    runAndAdd,
  );
  for (const run of wanted.filter(isAlone)) await runAndAdd(run, false);
  console.log(`\n${'='.repeat(116)}\n${summary.map((line) => `  ${line}`).join('\n')}`);
  if (total.skipped.length > 0) {
    console.log(
      `\nSKIPPED${requireAll ? ', which REQUIRE_ALL=1 forbids' : ''}:\n${total.skipped.map((each) => `  ${each}`).join('\n')}`,
    );
  }
  // failures are repeated at the end of the log, where they are easy to find
  if (total.reports.length > 0) console.log(`\nFAILED:\n\n${total.reports.join('\n\n')}`);
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`);
  return total.failed > 0 || (requireAll && total.skipped.length > 0) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
} finally {
  rmSync(work, { recursive: true, force: true });
}
