#!/usr/bin/env node
// Runs test/kernel with mocha in a virtual machine, with one boot for all files, and prints the report of the guest.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prebuiltFile } from '../../scripts/prebuilds/targets.mjs';
import { compilePrograms } from './compile-programs.mjs';
import { compileTests } from './compile-tests.mjs';
import { checkout, corpus, runInVm, VmError } from './vm.mjs';

const usage = `usage: node test/vm/run-suite.mjs [--kernel VERSION] [--grep TEXT] [--timeout SECONDS] [--cpus N] [--append TEXT] [--counts FILE] [--part I/N] [TEST-FILE...]
Exit status: mocha's in the guest; 125 when the machine failed. --append adds kernel parameters. --counts keeps the numbers of test/reporter.cjs.
--part 1/2 takes every second file of test/kernel, and --part 2/2 takes the others.
POLYTRACE_ADDON=prebuilt tests the addon that is published (prebuilds/linux-x64), instead of build/Release.`;

const isNightly = process.env.POLYTRACE_NIGHTLY === '1';

function parseOptions() {
  return parseArgs({
    allowPositionals: true,
    options: {
      kernel: { type: 'string', default: '6.12' },
      grep: { type: 'string' },
      // at night, both kernels run everything
      timeout: { type: 'string', default: isNightly ? '7200' : '3000' },
      cpus: { type: 'string', default: '1' },
      append: { type: 'string', default: '' },
      counts: { type: 'string' },
      part: { type: 'string', default: '1/1' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

/**
 * A test that hangs fails after this time. On an idle machine the longest test needs a tenth of it. On a machine with
 * ten busy processes for its two cores, it needs four times as long.
 */
const testMs = 480_000;
/** A guest hangs if it prints nothing for this time. It is longer than any test's limit. */
const quietMs = 510_000;

const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The nightly test of the container image, and the kernel that it runs on. The image is built here and loaded there. */
const imageTest = { kernel: '6.12', file: 'test/kernel/image.test.ts' };

function saveImage(file) {
  const args = ['--require', 'tsx/cjs', join(checkout, 'test/image/image.ts'), file];
  execFileSync(process.execPath, args, { cwd: checkout, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The addon to test, as a path in the checkout, and the environment in which node-gyp-build takes it. */
function chooseAddon() {
  const choice = process.env.POLYTRACE_ADDON ?? 'built';
  if (choice === 'built') return { file: 'build/Release/polytrace.node', env: {} };
  if (choice !== 'prebuilt') throw new Error(`POLYTRACE_ADDON is ${choice}: neither built nor prebuilt`);
  const file = prebuiltFile(process.arch);
  if (!existsSync(join(checkout, file))) throw new Error(`${file} is missing: npm run prebuilds -- ${process.arch}`);
  return { file, env: { PREBUILDS_ONLY: '1' } };
}

/** The test files of a part. Long and short files alternate by chance, so the parts take about the same time. */
function listFiles(part) {
  const [, index, parts] = /^([1-9])\/([1-9])$/.exec(part) ?? [];
  if (index === undefined || index > parts) throw new Error(`--part ${part}: not as 1/2 or 2/2`);
  const names = readdirSync(join(checkout, 'test/kernel')).filter((name) => name.endsWith('.test.ts'));
  return names
    .sort()
    .filter((_, at) => at % parts === index - 1)
    .map((name) => `test/kernel/${name}`);
}

/** A guest has no network, and a home of its own: package managers that it runs are in the checkout. */
const packageCache = join(checkout, '.cache');

async function findPackageManagers() {
  process.env.POLYTRACE_CACHE = packageCache;
  const { MANAGERS, npmPackage } = await import('../package/roots.mjs');
  for (const specifier of Object.values(MANAGERS)) npmPackage(specifier);
}

async function main() {
  const { values, positionals } = parseOptions();
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const addon = chooseAddon();
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-suite-'));
  const mocha = ['node_modules/mocha/bin/mocha.js', '--no-color', '--timeout', String(testMs)];
  // --exit: a process that a failed test left behind must not keep the guest running.
  mocha.push('--exit', '--require', 'tsx/cjs', '--require', './test/kernel/ready.ts');
  if (values.grep !== undefined) mocha.push('--grep', values.grep);
  const files = positionals.length > 0 ? positionals : listFiles(values.part);
  mocha.push(...files);
  try {
    compileTests(mocha, folder);
    await compilePrograms(join(folder, 'programs'));
    const needsImage = files.some((file) => file.endsWith(imageTest.file));
    if (isNightly && needsImage && values.kernel === imageTest.kernel) saveImage(join(folder, 'image.tar'));
    if (isNightly && files.some((file) => file.endsWith('kernel/run.test.ts'))) await findPackageManagers();
    const { status, seconds } = await runInVm({
      kernel: values.kernel,
      cpus: Number(values.cpus),
      append: values.append,
      timeoutMs: Number(values.timeout) * 1000,
      quietMs,
      folder,
      env: {
        ...addon.env,
        POLYTRACE_TESTED_ADDON: addon.file,
        POLYTRACE_COUNTS: '/run/vm/counts',
        POLYTRACE_KERNEL: values.kernel,
        POLYTRACE_CORPUS: corpus,
        POLYTRACE_CACHE: packageCache,
        REQUIRE_ALL: process.env.REQUIRE_ALL ?? '',
        POLYTRACE_NIGHTLY: process.env.POLYTRACE_NIGHTLY ?? '',
        POLYTRACE_WORK_SECONDS: process.env.POLYTRACE_WORK_SECONDS ?? '0',
      },
      script: `cp -r /run/vm/compiled/* /tmp\nnode ${mocha.map(quote).join(' ')} --reporter test/reporter.cjs`,
    });
    console.log(`kernel ${values.kernel}: ${seconds.toFixed(0)} s, booting included, with ${addon.file}`);
    return status;
  } finally {
    const counts = join(folder, 'counts');
    if (values.counts !== undefined && existsSync(counts)) copyFileSync(counts, values.counts);
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof VmError ? error.message : (error.stack ?? error));
  process.exitCode = 125;
}
