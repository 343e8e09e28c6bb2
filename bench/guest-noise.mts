// Runs in the virtual machine: counts the events that each policy of the package reports while nothing is wrong. guest-noise.mts
// FOLDER; writes FOLDER/noise.json.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTracer, policyLibrary, type TracerEvent } from 'polytrace';
import { required } from './guest-workload.mjs';

/** Events of each task by policy. */
export type NoiseCounts = readonly { readonly title: string; readonly events: Readonly<Record<string, number>> }[];

const folder = required(process.argv[2], 'the folder');
const sh = (script: string) => (): void => {
  execFileSync('bash', ['-lc', script], { stdio: ['ignore', 'ignore', 'inherit'] });
};

const TASKS: readonly (readonly [title: string, run: () => void | Promise<void>])[] = [
  ['idle, a minute', () => sleep(60_000)],
  ['a shell looks around', sh('id; ls -l /etc /home; ps ax; df; uname -a')],
  ['compile', sh('cc -O2 -nostdlib -o /srv/compiled bench/true.c && /srv/compiled')],
  ['archive /etc', sh('tar -cf /srv/etc.tar /etc')],
  ['search /usr/share', sh('find /usr/share -name "*.conf" | xargs grep -l a || true')],
];

const tracer = await openTracer({ policies: policyLibrary().map(({ name }) => `polytrace:${name}`) });
const batches = tracer.batches()[Symbol.asyncIterator]();

/** Reads the events until that of a program with this argument: whatever happened before it has been read then. */
async function eventsBefore(mark: string): Promise<Record<string, number>> {
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

async function endOf(title: string): Promise<Record<string, number>> {
  const mark = title.replaceAll(/\W+/g, '-');
  execFileSync('/bin/true', [mark]);
  return eventsBefore(mark);
}

await endOf('start');
const result: NoiseCounts[number][] = [];
for (const [title, run] of TASKS) {
  console.error(title);
  await run();
  result.push({ title, events: await endOf(title) });
}
await tracer.close();
writeFileSync(`${folder}/noise.json`, JSON.stringify(result));
