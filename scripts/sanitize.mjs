// npm run test:sanitize: the native tier with an addon that AddressSanitizer and UndefinedBehaviorSanitizer watch.
// sanitize.mjs [FILE...] runs only these files of test/native. Builds the addon into build/sanitize, shows that it
// reports mistakes, and runs the tests. Every report is a failure, also that of a child of a test: undefined behaviour
// ends its process.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../..');
const folder = join(root, 'build/sanitize');
const reports = mkdtempSync(join(tmpdir(), 'polytrace-sanitize-'));

// How the addon's build with this option reports each of its mistakes.
const MISTAKES = {
  'read after free': /AddressSanitizer: heap-use-after-free/,
  'read beyond the end': /AddressSanitizer: heap-buffer-overflow/,
  overflow: /runtime error: signed integer overflow/,
};

function build() {
  const cmake = ['--out', folder, '--CDPOLYTRACE_SANITIZE=ON'];
  for (const step of ['configure', 'build'])
    execFileSync('npx', ['cmake-js', step, ...cmake], { cwd: root, stdio: 'inherit' });
}

/** The libraries are preloaded, because node is not built with the sanitizers. */
function library(name) {
  return execFileSync('c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
}

function environment() {
  const log = `log_path=${join(reports, 'report')}`;
  return {
    ...process.env,
    // where node-gyp-build looks for the addon first
    POLYTRACE_PREBUILD: folder,
    POLYTRACE_SANITIZED: '1',
    // without libstdc++ beside it, libasan does not find what throws exceptions
    LD_PRELOAD: [library('libasan.so'), library('libstdc++.so.6')].join(' '),
    // Leaks are not searched: node and V8 do not free what ends with the process. test/native/memory.test.ts counts
    // what the addon keeps. Memory that cannot be had is null, as without the sanitizer, and SIGSEGV ends a process.
    ASAN_OPTIONS: `detect_leaks=0:allocator_may_return_null=1:handle_segv=0:${log}`,
    UBSAN_OPTIONS: `print_stacktrace=1:${log}`,
  };
}

/** The text of all reports, which are removed. */
function takeReports() {
  return readdirSync(reports)
    .map((name) => join(reports, name))
    .map((file) => {
      const text = readFileSync(file, 'utf8');
      rmSync(file);
      return text;
    });
}

/** Shows that the addon that the library loads reports a mistake, and that the report ends its process. */
function proveReports(env) {
  for (const [mistake, expected] of Object.entries(MISTAKES)) {
    const program = `require('node-gyp-build')(${JSON.stringify(root)}).misuse(${JSON.stringify(mistake)})`;
    const { status, signal, stderr } = spawnSync(process.execPath, ['-e', program], {
      cwd: root,
      env,
      encoding: 'utf8',
    });
    const text = [...takeReports(), stderr].join('\n');
    if (status === 0 || !expected.test(text)) {
      throw new Error(`no report of a mistake on purpose: ${mistake} (${status ?? signal}) ${text}`);
    }
    console.log(`reported, as it has to be: ${mistake}`);
  }
}

function main() {
  build();
  const env = environment();
  proveReports(env);
  const files = process.argv.slice(2);
  const mocha = ['node_modules/mocha/bin/mocha.js', '--require', 'tsx/cjs', '--timeout', '60000', ...files];
  const command = files.length > 0 ? mocha : ['scripts/run-tests.mjs', 'native'];
  const { status } = spawnSync(process.execPath, command, { cwd: root, env, stdio: 'inherit' });
  const found = takeReports();
  for (const text of found) console.error(text);
  console.log(`\nsanitizers: ${found.length} reports`);
  return status !== 0 || found.length > 0 ? 1 : 0;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
} finally {
  rmSync(reports, { recursive: true, force: true });
}
