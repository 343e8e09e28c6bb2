// Runs in the virtual machine: counts the events that each policy of the package reports during ordinary tasks.
// guest-noise.mts FOLDER writes FOLDER/noise.json.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTracer, policyLibrary, type TracerEvent } from 'polytrace';
import { requireValue } from './guest-workload.mjs';

/** Number of events of each task, by policy. */
export type NoiseCounts = readonly { readonly title: string; readonly events: Readonly<Record<string, number>> }[];

const folder = requireValue(process.argv[2], 'the folder');
const runShell = (script: string) => (): void => {
  execFileSync('bash', ['-lc', script], { stdio: ['ignore', 'ignore', 'inherit'] });
};

const TASKS: readonly (readonly [title: string, run: () => void | Promise<void>])[] = [
  ['idle, a minute', () => sleep(60_000)],
  ['a shell looks around', runShell('id; ls -l /etc /home; ps ax; df; uname -a')],
  ['compile', runShell('cc -O2 -nostdlib -o /srv/compiled bench/true.c && /srv/compiled')],
  ['archive /etc', runShell('tar -cf /srv/etc.tar /etc')],
  ['search /usr/share', runShell('find /usr/share -name "*.conf" | xargs grep -l a || true')],
];

const policies = policyLibrary().map(({ name }) => `polytrace:${name}`);
const tracer = await openTracer({ policies, mode: 'monitor' });
const batches = tracer.batches()[Symbol.asyncIterator]();

/** Counts events by policy until a program with this argument starts. All earlier events have been read then. */
async function countEventsUntil(mark: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const isMark = (event: TracerEvent): boolean => event.type === 'process_exec' && event.process.arguments === mark;
  for (;;) {
    const { value, done } = await batches.next();
    if (done === true) throw new Error('the tracer has ended');
    for (const event of value) {
      if (event.type === 'lost') throw new Error(`${event.count} events were lost`);
      if ('policyName' in event) counts[event.policyName] = (counts[event.policyName] ?? 0) + 1;
    }
    if (value.some(isMark)) return counts;
  }
}

/** Starts a marker program, and counts the events before it. */
async function finishTask(title: string): Promise<Record<string, number>> {
  const mark = title.replaceAll(/\W+/g, '-');
  execFileSync('/bin/true', [mark]);
  return countEventsUntil(mark);
}

await finishTask('start');
const result: NoiseCounts[number][] = [];
for (const [title, run] of TASKS) {
  console.error(title);
  await run();
  result.push({ title, events: await finishTask(title) });
}
await tracer.close();
writeFileSync(`${folder}/noise.json`, JSON.stringify(result));
