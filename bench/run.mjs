// node bench/run.mjs [--pairs N] [--folder FOLDER] [-- COMMAND…]: what `polytrace run` costs, as root. Runs COMMAND with and without
// `run` in turn, N (9) times each, and prints the median of the paired differences of the wall time, and the peak of the
// memory of `polytrace run`. Default: `npm ci` and the unit tests of this repository, in a copy of it.
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

/** Returns the wall time in milliseconds and the peak of the resident memory in MB. */
async function measure(command, cwd) {
  const begin = performance.now();
  const [name, ...args] = command;
  const child = spawn(name, args, { cwd, stdio: 'ignore' });
  let peak = 0;
  const poll = setInterval(() => {
    try {
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]));
    } catch {
      // it has ended
    }
  }, 50);
  const [status] = await new Promise((resolve) => child.once('exit', (...end) => resolve(end)));
  const ms = performance.now() - begin;
  clearInterval(poll);
  if (status !== 0) throw new Error(`${command.join(' ')} ended with status ${status}`);
  return { ms, mb: peak / 1000 };
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
  const share = median(results.map(({ without, with_ }) => with_.ms / without.ms - 1));
  const rss = Math.max(...results.map(({ with_ }) => with_.mb));
  const [before, after] = [results.map(({ without }) => without.ms), results.map(({ with_ }) => with_.ms)].map(median);
  console.log(
    `${title}: ${pairs} pairs, median ${(before / 1000).toFixed(2)} s without and ${(after / 1000).toFixed(2)} s with run, paired difference ${(share * 100).toFixed(1)} %, peak memory ${rss.toFixed(0)} MB`,
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
    isCheap = await compare('npm ci', ['npm', 'ci', '--prefer-offline', '--no-audit', '--no-fund'], project);
    cpSync(join(checkout, 'dist'), join(project, 'dist'), { recursive: true });
    const test = ['npx', 'mocha', '--require', 'tsx/cjs', 'test/unit/wire/*.test.ts', 'test/unit/policy/*.test.ts'];
    isCheap = (await compare('unit tests', test, project)) && isCheap;
  }
  process.exitCode = isCheap ? 0 : 1;
} finally {
  rmSync(shop, { recursive: true, force: true });
}
