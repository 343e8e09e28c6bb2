// Runs in the virtual machine: counts the instructions that the policies of count-cases.mts, and programs of bpftrace,
// add to a call. guest-counts.mts FOLDER [limited] writes FOLDER/counts.json. `limited`: only the policies that have a
// limit, by fentry.
import { mkdirSync, writeFileSync } from 'node:fs';
import { openTracer } from 'polytrace';
import {
  countCases,
  countedCalls,
  countPolicy,
  METRIC,
  POLICY_NAME,
  type CountCase,
  type CountCosts,
} from './count-cases.mjs';
import { countBeside } from './guest-tool.mjs';
import { CALLS, installWorkload, minimumOfThree, requireValue, RUNS, type Step } from './guest-workload.mjs';

const folder = requireValue(process.argv[2], 'the folder');
const isLimited = process.argv[3] === 'limited';
const cases = isLimited ? countCases.filter(({ limit }) => limit !== undefined) : countCases;
mkdirSync('/srv', { recursive: true });
writeFileSync(countedCalls.lseek.workload[1], 'sixteen bytes, ok');
installWorkload(folder);

const stepOf = (call: CountCase['call']): Step => ['it', ...countedCalls[call].workload];
const readCount = (counts: Readonly<Record<string, number>>): number => requireValue(counts['it'], 'the count');
const countInstructions = (call: CountCase['call']): number => readCount(minimumOfThree([stepOf(call)]));

async function measure(attach: 'fentry' | 'kprobe'): Promise<Record<string, number>> {
  const tracer = await openTracer({ attach });
  const costs: Record<string, number> = {};
  for (const each of cases) {
    console.error(`${attach}, ${each.title}`);
    await tracer.addPolicy({ yaml: countPolicy(each) });
    costs[each.title] = countInstructions(each.call);
    const { metrics } = await tracer.metrics();
    const calls = metrics.find(({ name }) => name === METRIC)?.total.calls ?? 0n;
    if (calls < BigInt(RUNS * CALLS)) throw new Error(`${each.title}: ${calls} calls were counted`);
    await tracer.removePolicy(POLICY_NAME);
  }
  await tracer.close();
  return costs;
}

async function measureBpftrace(): Promise<Record<string, number>> {
  const costs: Record<string, number> = {};
  for (const { title, call, bpftrace } of countCases) {
    if (bpftrace === undefined) continue;
    console.error(`bpftrace, ${title}`);
    const args = ['-B', 'none', '-e', `${bpftrace}\nBEGIN { printf("ready\\n"); }`];
    costs[title] = readCount(await countBeside('bpftrace', args, /^ready/m, [stepOf(call)]));
  }
  return costs;
}

const results: CountCosts = {
  nothing: { lseek: countInstructions('lseek'), pread: countInstructions('pread') },
  policies: { fentry: await measure('fentry'), kprobe: isLimited ? {} : await measure('kprobe') },
  bpftrace: isLimited ? {} : await measureBpftrace(),
};
writeFileSync(`${folder}/counts.json`, JSON.stringify(results));
