// Runs in the virtual machine: counts the instructions that a match adds to a read, with and without stack traces.
// guest-stacks.mts FOLDER [limited] writes FOLDER/stacks.json. `limited`: only by fentry.
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openTracer, type TracerEvent } from 'polytrace';
import { CALLS, installWorkload, minimumOfThree, requireValue, RUNS } from './guest-workload.mjs';
import { POLICY_NAME, READ_FILE, stackCases, stackPolicy, type StackAttach, type StackCosts } from './stack-cases.mjs';

const folder = requireValue(process.argv[2], 'the folder');
const isLimited = process.argv[3] === 'limited';
mkdirSync('/srv', { recursive: true });
writeFileSync(READ_FILE, 'sixteen bytes, ok');
installWorkload(folder);

const countInstructions = (): number => requireValue(minimumOfThree([['it', 'pread', READ_FILE]])['it'], 'the count');

async function countEvents(batches: AsyncIterable<readonly TracerEvent[]>, count: () => void): Promise<void> {
  for await (const batch of batches) for (const event of batch) if (event.type === 'process_kprobe') count();
}

async function measure(attach: StackAttach): Promise<Record<string, number>> {
  const tracer = await openTracer({ attach });
  let events = 0;
  const consumed = countEvents(tracer.batches(), () => events++);
  const costs: Record<string, number> = {};
  for (const each of stackCases) {
    console.error(`${attach}, ${each.title}`);
    events = 0;
    await tracer.addPolicy({ yaml: stackPolicy(each) });
    costs[each.title] = countInstructions();
    for (let i = 0; i < 3000 && events < RUNS * CALLS; i++) await delay(10);
    if (events < RUNS * CALLS) throw new Error(`${each.title}: ${events} events`);
    await tracer.removePolicy(POLICY_NAME);
  }
  await tracer.close();
  await consumed;
  return costs;
}

const results: StackCosts = {
  nothing: countInstructions(),
  policies: { fentry: await measure('fentry'), kprobe: isLimited ? {} : await measure('kprobe') },
};
writeFileSync(`${folder}/stacks.json`, JSON.stringify(results));
