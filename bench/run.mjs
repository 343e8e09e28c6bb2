// node bench/run.mjs [--pairs N] [--folder FOLDER] [-- COMMAND…]: what `polytrace run` costs, as root. Runs COMMAND with and without
// `run` in turn, N (9) times each, and prints the medians of the paired differences of the wall time and of the processor
// time of all their processes, and the peak of the memory of `polytrace run`. On a machine with other work, only the
// processor time can be compared. Default: `true`, which shows the fixed part, and `npm ci` and unit tests of this repository,
// in a copy of it. The status is 1 if one of these two costs more than the limits.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const checkout = join(import.meta.dirname, '..');
const program = join(checkout, 'dist', 'cli', 'main.js');
const WALL_MAX = 0.03;
const RSS_MAX = 150;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pairs: { type: 'string', default: '9' }, folder: { type: 'string' } },
});
const pairs = Number(values.pairs);

/** Runs the command in a shell, which prints the times of all processes that it has waited for. */
const TIMES = '"$@" > /dev/null; status=$?; times; exit $status';

/** Milliseconds of `1m2.345s`. */
const readTime = (text) => {
  const [, minutes, seconds] = /^(\d+)m([\d.]+)s$/.exec(text) ?? [];
  return (Number(minutes) * 60 + Number(seconds)) * 1000;
};

/** Returns the wall and the processor time in milliseconds and the peak of the resident memory in MB. */
async function measure(command, cwd) {
  const begin = performance.now();
  const shell = spawn('sh', ['-c', TIMES, 'sh', ...command], { cwd, stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  shell.stdout.on('data', (text) => (output += text));
  let peak = 0;
  const poll = setInterval(() => {
    try {
      const child = readFileSync(`/proc/${shell.pid}/task/${shell.pid}/children`, 'utf8').trim();
      // a process that has ended has no memory
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1] ?? 0));
    } catch {
      // it has ended
    }
  }, 50);
  const [status] = await new Promise((resolve) => shell.once('close', (...end) => resolve(end)));
  const ms = performance.now() - begin;
  clearInterval(poll);
  if (status !== 0) throw new Error(`${command.join(' ')} ended with status ${status}`);
  const children = output.trimEnd().split('\n').at(-1).split(' ').map(readTime);
  return { ms, cpu: children[0] + children[1], mb: peak / 1000 };
}

const median = (numbers) => [...numbers].sort((one, other) => one - other)[numbers.length >> 1];

async function compare(title, command, cwd) {
  const traced = [process.execPath, program, 'run', '--quiet', '--', ...command];
  // caches are warm for both
  await measure(command, cwd);
  await measure(traced, cwd);
  const results = [];
  for (let i = 0; i < pairs; i++) {
    const order = i % 2 === 0 ? [command, traced] : [traced, command];
    const [first, second] = [await measure(order[0], cwd), await measure(order[1], cwd)];
    const [without, with_] = i % 2 === 0 ? [first, second] : [second, first];
    results.push({ without, with_ });
  }
  const difference = (key) => median(results.map(({ without, with_ }) => with_[key] / without[key] - 1));
  const more = (key) => median(results.map(({ without, with_ }) => with_[key] - without[key])) / 1000;
  const describe = (name, key) => {
    const [before, after] = ['without', 'with_'].map((which) => median(results.map((each) => each[which][key])) / 1000);
    return `${name} ${before.toFixed(2)} s without and ${after.toFixed(2)} s with run, paired difference ${more(key).toFixed(2)} s, ${(difference(key) * 100).toFixed(1)} %`;
  };
  const share = difference('ms');
  const rss = Math.max(...results.map(({ with_ }) => with_.mb));
  console.log(
    `${title}: medians of ${pairs} pairs: ${describe('wall', 'ms')}; ${describe('processor', 'cpu')}; peak memory ${rss.toFixed(0)} MB`,
  );
  return share <= WALL_MAX && rss <= RSS_MAX;
}

const shop = mkdtempSync(join(tmpdir(), 'polytrace-bench-run-'));
try {
  let isCheap = true;
  if (positionals.length > 0) {
    isCheap = await compare(positionals.join(' '), positionals, values.folder ?? process.cwd());
  } else {
    execFileSync('git', ['clone', '--quiet', '--depth', '1', `file://${checkout}`, join(shop, 'project')]);
    const project = join(shop, 'project');
    await compare('true', ['true'], project);
    isCheap = await compare('npm ci', ['npm', 'ci', '--prefer-offline', '--no-audit', '--no-fund'], project);
    for (const built of ['dist', 'build/Release'])
      cpSync(join(checkout, built), join(project, built), { recursive: true });
    const test = [
      'npx',
      'mocha',
      '--require',
      'tsx/cjs',
      'test/unit/{attach,evaluate,events,learn,library,output,policy,run,wire}/**/*.test.ts',
      // it needs policies that are not in the repository
      '--exclude',
      'test/unit/policy/go-programs.test.ts',
      '--timeout',
      '60000',
    ];
    isCheap = (await compare('unit tests', test, project)) && isCheap;
  }
  process.exitCode = isCheap ? 0 : 1;
} finally {
  rmSync(shop, { recursive: true, force: true });
}
