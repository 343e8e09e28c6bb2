// A live demonstration: loads the file-monitoring policy, and prints the events of a small workload that reads a secret
// and writes a system file. It ends by itself and removes its files. The exit status is 0 if every expected line was
// printed.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../..');
const folder = mkdtempSync('/usr/local/bin/polytrace-demo-');
const file = join(folder, 'bar');
const workload = ['cat /etc/shadow', `echo foo >> ${file}`];

/** The expected lines in their order. Lines of other processes may be in between. */
const expected = [
  /^🚀 process .*bash -c "cat \/etc\/shadow"/u,
  /^🚀 process .*\/cat \/etc\/shadow/u,
  /^📚 read .*\/cat \/etc\/shadow/u,
  /^📚 read .*\/cat \/etc\/shadow/u,
  /^💥 exit .*\/cat \/etc\/shadow 0/u,
  /^🚀 process .*bash -c "echo foo >> /u,
  new RegExp(`^📝 write .*bash ${file}`, 'u'),
  /^💥 exit .*bash -c "echo foo >> .* 0/u,
];

async function main() {
  const args = ['dist/cli/main.js', 'getevents', '--policy', 'policies/file-monitoring.yaml', '-o', 'compact'];
  console.log(`$ polytrace ${args.slice(1).join(' ')}`);
  const tracer = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(tracer, 'exit');
  process.on('SIGINT', () => tracer.kill('SIGINT')); // The code below then cleans up.
  const timeLimit = setTimeout(() => tracer.kill(), 120_000);
  const remaining = [...expected];
  createInterface(tracer.stderr).on('line', (line) => {
    console.error(line);
    if (line.startsWith('ready')) runWorkload();
  });
  createInterface(tracer.stdout).on('line', (line) => {
    console.log(line);
    if (remaining[0]?.test(line)) remaining.shift();
    if (remaining.length === 0) tracer.kill('SIGINT');
  });
  const [code, signal] = await ended;
  clearTimeout(timeLimit);
  if (remaining.length > 0) {
    console.error(
      `the demonstration failed (the tracer's end: ${signal ?? `status ${code}`}); not seen: ${remaining[0]}`,
    );
    return 1;
  }
  console.log(`Every expected event was seen. Try your own: npx polytrace getevents --policy FILE.yaml`);
  return 0;
}

function runWorkload() {
  for (const command of workload) {
    console.log(`$ bash -c '${command}'`);
    execFileSync('bash', ['-c', command], { stdio: 'ignore' });
  }
}

try {
  process.exitCode = await main();
} finally {
  rmSync(folder, { recursive: true });
}
