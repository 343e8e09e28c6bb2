// Records docs/samples/library.jsonl: somebody types the commands of the tests of policies into a login shell, while the
// policy of each is active. In a guest, because kernels of sandboxes cannot run the policies:
// node test/vm/run.mjs --kernel 6.12 --timeout 1800 --folder build/samples -- node scripts/record-samples.mjs /run/vm/library.jsonl
// Then copy the file, and run `npm run gen`.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('usage: record-samples.mjs FILE');

/** Starts `getevents`, and resolves when the policy is active. */
async function startGetevents(policy) {
  const args = [join(root, 'dist/cli/main.js'), 'getevents', '--policy', policy, '-o', 'json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.startsWith('ready')) resolve();
      else console.error(line);
    });
    child.once('exit', (status) => reject(new Error(`getevents --policy ${policy} ended with status ${status}`)));
  });
  return { child, lines };
}

/**
 * Starts a login shell, whose parent is `su`. Resolves with its pid when it waits for commands. `ended` resolves with `su`.
 */
async function startShell() {
  const su = spawn('su', ['-'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const ended = once(su, 'exit');
  const pid = new Promise((resolve) => createInterface({ input: su.stdout }).once('line', resolve));
  su.stdin.write('echo $$; exec >/dev/null\n');
  return { pid: Number(await pid), stdin: su.stdin, ended };
}

/** Returns the lines of the processes that a process has started, and of these. */
function selectDescendants(lines, pid) {
  const descendants = new Set();
  return lines.filter((line) => {
    const event = Object.values(JSON.parse(line)).find((value) => value?.process !== undefined);
    if (event === undefined) return false;
    const { process: own, parent } = event;
    if (parent?.pid === pid || descendants.has(own.parent_exec_id)) descendants.add(own.exec_id);
    return own.pid === pid || descendants.has(own.exec_id);
  });
}

const recorded = [];
mkdirSync('/mnt', { recursive: true });
for (const file of readdirSync(join(root, 'policies/tests')).toSorted()) {
  const { before, after, scenarios } = parse(readFileSync(join(root, 'policies/tests', file), 'utf8'));
  if (before !== undefined) spawnSync('bash', ['-c', before]);
  const shell = await startShell();
  const { child, lines } = await startGetevents(join(root, 'policies', file));
  shell.stdin.end(scenarios[0].run);
  await shell.ended;
  const ended = once(child, 'close');
  child.kill('SIGINT');
  await ended;
  recorded.push(...selectDescendants(lines, shell.pid));
  if (after !== undefined) spawnSync('bash', ['-c', after]);
  console.log(`${file}: ${recorded.length} lines so far`);
}
writeFileSync(target, `${recorded.join('\n')}\n`);
