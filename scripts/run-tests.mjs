// Runs tiers of tests and adds up their results: node scripts/run-tests.mjs [TIER...] [--each]. The default is all
// tiers except kubernetes, and `all` is every one. Skipped and failed tests are listed at the end. With REQUIRE_ALL=1, a skipped test is a
// failure. The native tier runs in a mount namespace like that of a new machine. With --each, each of its files runs in
// a namespace of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kubernetesFolder } from '../test/kubernetes/binaries.mjs';
import { vmObstacle } from '../test/vm/vm.mjs';
import { freshMountsObstacle, inFreshMounts } from './fresh-mounts.mjs';

const root = join(fileURLToPath(import.meta.url), '../..');
const requireAll = process.env.REQUIRE_ALL === '1';
const work = mkdtempSync(join(tmpdir(), 'polytrace-tests-'));

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
const transpiledMocha = mocha.map((arg) => (arg === 'tsx/cjs' ? './test/transpile.cjs' : arg));

// These tests need trusted executables. In another mount namespace, no executable is trusted.
const INITIAL_MOUNTS = ['forgery', 'long-paths', 'running-processes'].map((name) => `test/native/${name}.test.ts`);

const PREEMPTION = 'test/kernel/preemption.test.ts';
const INSTRUCTIONS = 'test/bench/kernel.test.ts';

/** A run outside of a guest hangs if it takes this time. On an idle machine, the longest takes a third of it. */
const RUN_MS = 30 * 60_000;

// `besideOthers`: no test of the run measures time, so that another run can use the other processor.
// `hasLimit`: the program ends a run that hangs by itself.
const runs = [
  {
    tier: 'unit',
    title: 'unit: policy',
    args: [...policyCoverage, ...transpiledMocha, 'test/unit/policy/**/*.test.ts'],
    besideOthers: true,
  },
  {
    tier: 'unit',
    title: 'unit: the rest',
    args: [...c8, '--include', 'lib', ...mocha, '--ignore', 'test/unit/policy/**', 'test/unit/**/*.test.ts'],
  },
  {
    tier: 'unit',
    title: 'unit: agent',
    args: [...c8, '--include', 'agent/lib', ...mocha, 'agent/test/unit/**/*.test.ts'],
    besideOthers: true,
  },
  {
    tier: 'browser',
    title: 'browser',
    args: [...mocha, 'agent/test/browser/*.test.ts'],
    obstacle: browserObstacle,
    besideOthers: true,
  },
  { tier: 'bench', title: 'short benchmark', args: [...mocha, 'test/bench/*.test.ts', '--ignore', INSTRUCTIONS] },
  // they are counted, so that nothing else on the machine changes them
  { tier: 'bench', title: 'instructions in the kernel', args: [...mocha, INSTRUCTIONS], besideOthers: true },
  { tier: 'fuzz', title: 'short fuzz', args: [...mocha, 'test/fuzz/fuzz.test.ts'], besideOthers: true },
  nativeRun('native', ['test/native/**/*.test.ts', ...INITIAL_MOUNTS.flatMap((file) => ['--ignore', file])]),
  { ...nativeRun('native: agent', ['agent/test/native/**/*.test.ts']), besideOthers: true },
  // NATS servers of the tests on loopback; two of the agents trace this kernel
  { ...nativeRun('native: fleet', ['agent/test/fleet/**/*.test.ts']), besideOthers: true },
  nativeRun('native: initial mounts', INITIAL_MOUNTS, false),
  // in two guests each, so that a busy machine does not reach the time limit of a guest
  ...['6.12', '6.1'].flatMap((kernel) => ['1/2', '2/2'].map((part) => kernelRun(kernel, { part }))),
  // Tests that only this kernel can run, and those of its own mounts, calls and kprobes. It is preemptible.
  kernelRun('newest', {
    files: ['modifying-actions', 'policy-evasion', 'groups']
      .map((name) => `test/kernel/${name}.test.ts`)
      .concat(PREEMPTION),
  }),
  kernelRun('6.12', { files: [PREEMPTION], append: 'preempt=full' }),
  // Each file uses its own cluster. The programs are built once for a machine.
  {
    tier: 'kubernetes',
    title: 'kubernetes',
    args: [...mocha, 'test/kubernetes/*.test.ts'],
    obstacle: kubernetesObstacle,
    besideOthers: true,
  },
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
    besideOthers: true,
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
    return { passed: 0, failed: 0, skipped: [`all of ${title}: ${reason}`], reports: [] };
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
  const { passed, failed, skipped, reports } = counts ?? { passed: 0, failed: 0, skipped: [], reports: [] };
  const isSilent = failed === 0 && (status !== 0 || passed + skipped.length === 0);
  if (isSilent) reports.push(`failed with ${end}, no test named`);
  const addTitle = (texts) => texts.map((each) => `${title}: ${each}`);
  return { passed, failed: failed + (isSilent ? 1 : 0), skipped: addTitle(skipped), reports: addTitle(reports) };
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
    const { passed, failed, skipped, reports } = await executeRun(run, isBuffered);
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    summary.push(`${run.title}: ${passed} passed, ${failed} failed, ${skipped.length} skipped in ${seconds} s`);
    total.passed += passed;
    total.failed += failed;
    total.skipped.push(...skipped);
    total.reports.push(...reports);
  };
  const all = each ? [...runs.filter(({ tier }) => tier !== 'native'), ...nativeFileRuns()] : runs;
  const isWanted = (tier) =>
    tiers.includes('all') || (tiers.length === 0 ? tier !== 'kubernetes' : tiers.includes(tier));
  const wanted = all.filter(({ tier }) => isWanted(tier));
  for (const run of wanted.filter(({ besideOthers }) => besideOthers !== true)) await runAndAdd(run, false);
  // Each of the others uses one processor, so two run at a time: the longest first.
  const others = wanted
    .filter(({ besideOthers }) => besideOthers === true)
    .sort((a, b) => Number(b.tier === 'kernel') - Number(a.tier === 'kernel'))
    .map((run, i) => () => runAndAdd(run, i > 0));
  const runOthers = async () => {
    for (let next = others.shift(); next !== undefined; next = others.shift()) await next();
  };
  await Promise.all([runOthers(), runOthers()]);
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
