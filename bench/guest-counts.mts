// Runs in the virtual machine: counts the instructions that the policies of count-cases.mts add to a call.
// guest-counts.mts FOLDER writes FOLDER/counts.json.
import { mkdirSync, writeFileSync } from 'node:fs';
import { openTracer } from 'polytrace';
import { operations } from './cases.mjs';
import { countCases, countPolicy, METRIC, POLICY_NAME, type CountCosts } from './count-cases.mjs';
import { CALLS, installWorkload, minimumOfThree, requireValue, RUNS } from './guest-workload.mjs';

const folder = requireValue(process.argv[2], 'the folder');
mkdirSync('/srv', { recursive: true });
writeFileSync(operations.lseek.workload[1], '');
installWorkload(folder);

const countInstructions = (): number =>
  requireValue(minimumOfThree([['it', ...operations.lseek.workload]])['it'], 'the count of lseek');

async function measure(attach: 'fentry' | 'kprobe'): Promise<Record<string, number>> {
  const tracer = await openTracer({ attach });
  const costs: Record<string, number> = {};
  for (const each of countCases) {
    console.error(`${attach}, ${each.title}`);
    await tracer.addPolicy({ yaml: countPolicy(each) });
    costs[each.title] = countInstructions();
    const { metrics } = await tracer.metrics();
    const calls = metrics.find(({ name }) => name === METRIC)?.total.calls ?? 0n;
    if (calls < BigInt(RUNS * CALLS)) throw new Error(`${each.title}: ${calls} calls were counted`);
    await tracer.removePolicy(POLICY_NAME);
  }
  await tracer.close();
  return costs;
}

const results: CountCosts = {
  nothing: countInstructions(),
  policies: { fentry: await measure('fentry'), kprobe: await measure('kprobe') },
};
writeFileSync(`${folder}/counts.json`, JSON.stringify(results));
