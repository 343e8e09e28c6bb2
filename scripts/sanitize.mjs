// npm run test:sanitize: runs the native tier with an addon that AddressSanitizer and UndefinedBehaviorSanitizer check.
// sanitize.mjs [FILE...] runs only these files of test/native. It builds the addon into build/sanitize, checks that the
// sanitizers report misuses, and runs the tests. Every report is a failure, also a report of a child process of a test.
// Undefined behaviour ends its process.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../..');
const folder = join(root, 'build/sanitize');
const reports = mkdtempSync(join(tmpdir(), 'polytrace-sanitize-'));

// Misuses that the addon offers in this build, and the expected reports.
const MISUSES = {
  'read after free': /AddressSanitizer: heap-use-after-free/,
  'read beyond the end': /AddressSanitizer: heap-buffer-overflow/,
  overflow: /runtime error: signed integer overflow/,
};

function buildAddon() {
  const cmake = ['--out', folder, '--CDPOLYTRACE_SANITIZE=ON'];
  for (const step of ['configure', 'build'])
    execFileSync('npx', ['cmake-js', step, ...cmake], { cwd: root, stdio: 'inherit' });
}

/** Finds a library of the sanitizers. The libraries are preloaded, because node is not built with them. */
function libraryPath(name) {
  return execFileSync('c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
}

function sanitizerEnvironment() {
  const log = `log_path=${join(reports, 'report')}`;
  return {
    ...process.env,
    // node-gyp-build looks for the addon here first
    POLYTRACE_PREBUILD: folder,
    POLYTRACE_SANITIZED: '1',
    // without libstdc++, libasan does not find the functions that throw exceptions
    LD_PRELOAD: [libraryPath('libasan.so'), libraryPath('libstdc++.so.6')].join(' '),
    // There is no search for leaks, because node and V8 do not free all memory at their exit.
    // test/native/memory.test.ts checks the memory of the addon. As without the sanitizer, a failed allocation returns
    // null, and SIGSEGV ends a process.
    ASAN_OPTIONS: `detect_leaks=0:allocator_may_return_null=1:handle_segv=0:${log}`,
    UBSAN_OPTIONS: `print_stacktrace=1:${log}`,
  };
}

/** Reads and removes all reports. */
function takeReports() {
  return readdirSync(reports)
    .map((name) => join(reports, name))
    .map((file) => {
      const text = readFileSync(file, 'utf8');
      rmSync(file);
      return text;
    });
}

/** Checks that the addon that the library loads reports each misuse, and that the report ends its process. */
function proveReports(env) {
  for (const [misuse, expected] of Object.entries(MISUSES)) {
    const program = `require('node-gyp-build')(${JSON.stringify(root)}).triggerSanitizer(${JSON.stringify(misuse)})`;
    const { status, signal, stderr } = spawnSync(process.execPath, ['-e', program], {
      cwd: root,
      env,
      encoding: 'utf8',
    });
    const text = [...takeReports(), stderr].join('\n');
    if (status === 0 || !expected.test(text)) {
      throw new Error(`no report of a mistake on purpose: ${misuse} (${status ?? signal}) ${text}`);
    }
    console.log(`reported, as it has to be: ${misuse}`);
  }
}

function main() {
  buildAddon();
  const env = sanitizerEnvironment();
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
