// Runs in the virtual machine: counts the instructions of calls with 1 to 2,000 policies on their function.
// guest-policies.mts FOLDER writes FOLDER/policies.json.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { openTracer } from 'polytrace';
import { installWorkload, minimumOfThree, requireValue, type Step } from './guest-workload.mjs';
import {
  ACTING_MAX,
  type Calls,
  callsOf,
  matchedAddress,
  matchedFile,
  numberedPolicy,
  type policyActions,
  policyNumbers,
  SEPARATE_MAX,
  type Subject,
  unmatchedAddress,
  unmatchedFile,
  type PolicyCosts,
} from './policies-cases.mjs';

const folder = requireValue(process.argv[2], 'the folder');
mkdirSync('/srv/policies', { recursive: true });
for (const path of [unmatchedFile, matchedFile]) writeFileSync(path, 'sixteen bytes, ok');
installWorkload(folder);

const reads: readonly Step[] = [
  ['hot', 'pread', unmatchedFile],
  ['first', 'pread-first', '/srv/many'],
  ['match', 'pread', matchedFile],
];
const connections: readonly Step[] = [
  ['hot', 'connect', unmatchedAddress],
  ['match', 'connect', matchedAddress],
];
const renames: readonly Step[] = [
  ['hot', 'rename', unmatchedFile],
  ['match', 'rename', matchedFile],
];
const stepsOf: Readonly<Record<Calls, readonly Step[]>> = { reads, connections, renames };

const countDescriptors = (): number => readdirSync('/proc/self/fd').length;

async function measureCpu(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function measure(
  grouped: boolean,
  does: keyof typeof policyActions = 'an event',
  byKprobes = false,
  subject: Subject = 'reads',
): Promise<PolicyCosts[]> {
  const steps = stepsOf[callsOf(subject)];
  const attach = byKprobes ? 'kprobe' : 'auto';
  const tracer = await openTracer({ attach, groupPolicies: grouped, enforcement: true });
  const results: PolicyCosts[] = [];
  let loaded = 0;
  const before = countDescriptors();
  for (const policies of policyNumbers) {
    if (!grouped && policies > SEPARATE_MAX) break;
    if ((does !== 'an event' || byKprobes || subject !== 'reads') && policies > ACTING_MAX) break;
    for (; loaded < policies; loaded++) await tracer.addPolicy({ yaml: numberedPolicy(loaded, subject, does) });
    console.error(`${policies} policies on ${subject} with ${does}${grouped ? ' in groups' : ''}`);
    const descriptors = (countDescriptors() - before) / policies;
    const hooks = tracer.policies().flatMap((policy) => policy.hooks);
    const memory = Math.max(...hooks.map((hook) => hook.memory));
    // the first one of each kind has a program of its own until the second one comes
    const kinds = subject === 'both' ? 2 : 1;
    if (grouped && policies > kinds && hooks.some((hook) => hook.grouped !== true))
      throw new Error('a hook is in no group');
    // the first one that moves into a group keeps its own program for some time, and nothing else runs while we count
    await setTimeout(2000);
    // before another policy moves the first one
    // a read that is overridden fails, and all connections are to the same port
    const hasMatch = does !== 'an override' && subject !== 'ports';
    const counts = minimumOfThree(hasMatch ? steps : steps.filter(([name]) => name !== 'match'));
    const addMs = await measureCpu(() => tracer.addPolicy({ yaml: numberedPolicy(10_000, subject, does) }));
    const removeMs = await measureCpu(() => tracer.removePolicy('numbered-10000'));
    results.push({ policies, subject, grouped, does, byKprobes, counts, addMs, removeMs, descriptors, memory });
  }
  await tracer.close();
  return results;
}

const nothing: Readonly<Record<Calls, Readonly<Record<string, number>>>> = {
  reads: minimumOfThree(reads),
  connections: minimumOfThree(connections),
  renames: minimumOfThree(renames),
};
writeFileSync(
  `${folder}/policies.json`,
  JSON.stringify({
    nothing,
    costs: [
      ...(await measure(true)),
      ...(await measure(true, 'an event', true)),
      ...(await measure(true, 'a signal')),
      ...(await measure(true, 'an override')),
      ...(await measure(true, 'stack traces')),
      ...(await measure(true, 'an event', false, 'exclusions')),
      ...(await measure(true, 'an event', false, 'others')),
      ...(await measure(true, 'an event', false, 'ports')),
      ...(await measure(true, 'an event', false, 'networks')),
      ...(await measure(true, 'an event', false, 'both')),
      ...(await measure(true, 'an event', false, 'tracked')),
      ...(await measure(true, 'an event', false, 'renames')),
      ...(await measure(false)),
    ],
  }),
);
