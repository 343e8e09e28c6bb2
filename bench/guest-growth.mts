// Runs in the virtual machine: counts the instructions of operations with policies of growing size.
// guest-growth.mts FOLDER [short] writes FOLDER/growth.json. `short`: only the smallest and the largest size.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { openTracer, type ContainerSink } from 'polytrace';
import {
  CONTAINER_LABELS,
  containerPolicy,
  containerRows,
  growthCases,
  namedFile,
  sizesOf,
  unnamedFile,
  type GrowthCounts,
} from './growth-cases.mjs';
import { installWorkload, minimumOfThree, requireValue } from './guest-workload.mjs';

const folder = requireValue(process.argv[2], 'the folder');
const isShort = process.argv[3] === 'short';
mkdirSync(dirname(namedFile), { recursive: true });
for (const path of [namedFile, unnamedFile]) writeFileSync(path, 'sixteen bytes, ok');
installWorkload(folder);

const count = (workload: readonly [string, string], wrapper: readonly string[] = []): number =>
  requireValue(minimumOfThree([['it', ...workload]], wrapper)['it'], `the count of ${workload[0]}`);

/** The first and the last size if the table is short. 10,000 containers take minutes. */
const select = (sizes: readonly number[], most = Infinity): readonly number[] => {
  if (!isShort) return sizes;
  const wanted = sizes.filter((size) => size <= most);
  return wanted.filter((_, i) => i === 0 || i === wanted.length - 1);
};

const nothing: Record<string, number> = {};
const added: Record<string, number> = {};
const loadMs: Record<string, number> = {};
for (const { name, workload } of growthCases) nothing[name] = count(workload);
const tracer = await openTracer({ attach: 'fentry' });
for (const each of growthCases) {
  for (const size of select(sizesOf(each))) {
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

const CGROUPS = '/sys/fs/cgroup/growth';
const IN_FIRST = ['sh', '-c', `echo $$ > ${CGROUPS}/0/cgroup.procs && exec "$@"`, 'sh'];

/** Opens a tracer that knows so many containers, and loads a policy for all of them. */
async function countContainers(size: number): Promise<void> {
  const addAll = async (sink: ContainerSink): Promise<void> => {
    for (let i = 0; i < size; i++) {
      const pod = { namespace: 'default', name: `growth-${i}`, labels: CONTAINER_LABELS };
      await sink.add({ id: `${i}`.padStart(64, '0'), cgroupPath: `/growth/${i}`, pod });
    }
    sink.state(true);
  };
  const source = { name: 'growth', start: addAll, stop: () => Promise.resolve() };
  const scoped = await openTracer({ attach: 'fentry', containers: { sources: [source] } });
  const before = process.cpuUsage();
  await scoped.addPolicy({ yaml: containerPolicy });
  const { user, system } = process.cpuUsage(before);
  const found = scoped.policies()[0]?.scope;
  if (found?.containers !== size) throw new Error(`${JSON.stringify(found)} in place of ${size} containers`);
  loadMs[`container ${size}`] = (user + system) / 1000;
  const read = ['pread', unnamedFile] as const;
  const hot = requireValue(nothing['hot'], 'the read without a tracer');
  added[`container ${size}`] = count(read, IN_FIRST) - hot;
  added[`container-match ${size}`] = count(['pread', namedFile], IN_FIRST) - hot;
  added[`outside ${size}`] = count(read) - hot;
  await scoped.close();
}

let made = 0;
for (const size of select(sizesOf(containerRows[0]), 1000)) {
  console.error(`containers ${size}`);
  for (; made < size; made++) mkdirSync(`${CGROUPS}/${made}`, { recursive: true });
  await countContainers(size);
}
const counts: GrowthCounts = { nothing, added, loadMs };
writeFileSync(`${folder}/growth.json`, JSON.stringify(counts));
