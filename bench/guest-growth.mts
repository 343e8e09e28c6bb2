// Runs in the virtual machine: counts the instructions of operations with policies of growing size.
// guest-growth.mts FOLDER [short] writes FOLDER/growth.json. `short`: only the smallest and the largest size.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { openTracer } from 'polytrace';
import { growthCases, namedFile, sizesOf, unnamedFile, type GrowthCounts } from './growth-cases.mjs';
import { installWorkload, minimumOfThree, requireValue } from './guest-workload.mjs';

const folder = requireValue(process.argv[2], 'the folder');
const isShort = process.argv[3] === 'short';
mkdirSync(dirname(namedFile), { recursive: true });
for (const path of [namedFile, unnamedFile]) writeFileSync(path, 'sixteen bytes, ok');
installWorkload(folder);

const count = (workload: readonly [string, string]): number =>
  requireValue(minimumOfThree([['it', ...workload]])['it'], `the count of ${workload[0]}`);

const nothing: Record<string, number> = {};
const added: Record<string, number> = {};
const loadMs: Record<string, number> = {};
for (const { name, workload } of growthCases) nothing[name] = count(workload);
const tracer = await openTracer({ attach: 'fentry' });
for (const each of growthCases) {
  const sizes = sizesOf(each);
  for (const size of isShort ? [sizes[0], sizes.at(-1)] : sizes) {
    if (size === undefined) continue;
    const key = `${each.name} ${size}`;
    console.error(key);
    const before = process.cpuUsage();
    await tracer.addPolicy({ yaml: each.policy(size) });
    const { user, system } = process.cpuUsage(before);
    loadMs[key] = (user + system) / 1000;
    added[key] = count(each.workload) - requireValue(nothing[each.name], each.name);
    await tracer.removePolicy('growth');
  }
}
await tracer.close();
const counts: GrowthCounts = { nothing, added, loadMs };
writeFileSync(`${folder}/growth.json`, JSON.stringify(counts));
