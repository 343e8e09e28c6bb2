// Runs in the virtual machine: the workload beside each tracer in turn. guest.mjs FOLDER CONFIGURATIONS, a JSON list of
// {name, attach?, policy?}; writes FOLDER/counts.json. A tracer is stopped (SIGSTOP) while the workload runs: what is counted
// is the kernel's part; the reader's is measured on the host.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [folder, json] = process.argv.slice(2);
const files = { shallow: '/srv/file', deep: '/srv/2/3/4/5/6/file', match: '/etc/shadow', write: '/srv/written' };

mkdirSync('/srv/2/3/4/5/6', { recursive: true });
for (const path of [files.shallow, files.deep, files.write]) writeFileSync(path, 'sixteen bytes, ok');

// from the root itself, not through virtiofs
for (const name of ['workload', 'true']) copyFileSync(`${folder}/${name}`, `/srv/${name}`);

/** {pread-2: instructions, …}: the least of three runs, since whatever disturbs a run only adds. */
function runWorkload() {
  const least = {};
  for (let run = 0; run < 3; run++) {
    const args = ['/srv/true', files.shallow, files.deep, files.match, files.write];
    const output = execFileSync('/srv/workload', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    for (const [name, count] of output
      .trim()
      .split('\n')
      .map((line) => line.split(' '))) {
      least[name] = Math.min(least[name] ?? Infinity, Number(count));
    }
  }
  return least;
}

async function startTracer({ attach, policy }) {
  const args = ['bench/tracer.mjs', attach, ...(policy === undefined ? [] : [policy])];
  const tracer = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface(tracer.stderr);
  const ready = new Promise((resolve, reject) => {
    lines.on('line', (line) => (console.error(`  ${line}`), line.startsWith('ready') && resolve()));
    tracer.once('exit', (code) => reject(new Error(`the tracer ended with status ${code}`)));
  });
  await ready;
  return tracer;
}

const results = [];
for (const configuration of JSON.parse(json)) {
  console.error(`${configuration.name}`);
  const tracer = configuration.attach === undefined ? undefined : await startTracer(configuration);
  tracer?.kill('SIGSTOP');
  results.push({ name: configuration.name, counts: runWorkload() });
  if (tracer === undefined) continue;
  const ended = once(tracer, 'exit');
  tracer.kill('SIGKILL');
  await ended;
}
writeFileSync(`${folder}/counts.json`, JSON.stringify(results));
