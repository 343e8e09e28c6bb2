// npm run lint:c: clang-format checks the layout of the C and C++ sources, and clang-tidy looks for mistakes in native/.
// clang-tidy reads build/cmake/compile_commands.json, which `npm run build:native` writes. `--fix` formats instead of checking.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../..');
const commands = join(root, 'build/cmake');
const CLANG_FORMAT = 'clang-format-19';
const CLANG_TIDY = 'clang-tidy-19';

/** Sources with a style. C has the style of bpf/.clang-format, also outside of that folder. */
const STYLES = [
  {
    style: 'file',
    patterns: ['native/*.cc', 'native/*.h', ':!native/base/sdt.h', 'test/native/*.cc', 'test/fuzz/*.cc'],
  },
  {
    style: 'file:bpf/.clang-format',
    patterns: [
      'bpf/*.c',
      'bpf/*.h',
      'native/*.c',
      'native/base/sdt.h',
      'test/kernel/*.c',
      'test/kernel/*.h',
      'test/native/programs/*.c',
      'bench/*.c',
    ],
  },
];

/** Commits of native/ whose files CI checks by day. */
const RECENT_COMMITS = 8;

/** Not in the build without sanitizers. */
const NOT_TIDIED = ['native/binding/sanitizer_test.cc'];

function listFiles(patterns) {
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--deduplicate', '--', ...patterns], {
    cwd: root,
    encoding: 'utf8',
  });
  return list.split('\n').filter((name) => name !== '' && existsSync(join(root, name)));
}

/** Resolves with whether the command has succeeded. Its messages are shown only if it has failed. */
function run(command, args) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd: root, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (typeof error?.code === 'string')
        reject(new Error(`${error.message} (bash scripts/setup.sh installs ${command})`));
      if (error !== null) console.error(`${stdout}${stderr}`);
      resolve(error === null);
    });
  });
}

async function checkFormat(fix) {
  let isRight = true;
  for (const { style, patterns } of STYLES) {
    const mode = fix ? ['-i'] : ['--dry-run', '-Werror'];
    isRight = (await run(CLANG_FORMAT, [...mode, `--style=${style}`, ...listFiles(patterns)])) && isRight;
  }
  return isRight;
}

/** The sources for clang-tidy. All take minutes, so CI checks by day what the last commits have changed. */
function listTidied() {
  const all = listFiles(['native/*.cc']).filter((name) => !NOT_TIDIED.includes(name));
  if (process.env.CI !== 'true' || process.env.POLYTRACE_NIGHTLY === '1') return all;
  const log = ['log', `-${RECENT_COMMITS}`, '--name-only', '--format=', '--', 'native', 'bpf/abi.h'];
  const changed = [...new Set(execFileSync('git', log, { cwd: root, encoding: 'utf8' }).split('\n'))];
  const headers = changed.filter((name) => name.endsWith('.h')).map((name) => basename(name));
  const includes = (name) => {
    const text = readFileSync(join(root, name), 'utf8');
    return headers.some((header) => text.includes(`/${header}"`) || text.includes(`"${header}"`));
  };
  const chosen = all.filter((name) => changed.includes(name) || includes(name));
  console.log(`clang-tidy: ${chosen.length} of ${all.length} files, which the last commits of native/ have changed`);
  return chosen;
}

async function checkMistakes() {
  if (!existsSync(join(commands, 'compile_commands.json'))) {
    throw new Error('clang-tidy needs build/cmake/compile_commands.json: npm run build:native');
  }
  const pending = listTidied();
  let isRight = true;
  const work = async () => {
    for (let file = pending.shift(); file !== undefined; file = pending.shift()) {
      isRight = (await run(CLANG_TIDY, ['-p', commands, '--quiet', file])) && isRight;
    }
  };
  // the tests of a commit run at the same time
  const processes = Math.max(1, Math.floor(availableParallelism() / 2));
  await Promise.all(Array.from({ length: processes }, work));
  return isRight;
}

const fix = process.argv.includes('--fix');
try {
  const isRight = (await checkFormat(fix)) && (fix || (await checkMistakes()));
  process.exitCode = isRight ? 0 : 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
