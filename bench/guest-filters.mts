// Runs in the virtual machine: counts the instructions of each operation with the policies of cases.mts that hook it.
// guest-filters.mts FOLDER writes FOLDER/filters.json. The reader does not run during a measurement, because this
// process waits for the workload.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openTracer, type TracerEvent } from 'polytrace';
import {
  measuredCases,
  policyName,
  operationNames,
  operations,
  casePolicy,
  type Attach,
  type FilterCounts,
  type Operation,
} from './cases.mjs';
import { CALLS, installWorkload, minimumOfThree, requireValue, RUNS } from './guest-workload.mjs';

const folder = requireValue(process.argv[2], 'the folder');
mkdirSync('/srv', { recursive: true });
writeFileSync(operations.open.workload[1], '');
installWorkload(folder);

function countInstructions(operation: Operation): number {
  return requireValue(minimumOfThree([['it', ...operations[operation].workload]])['it'], `the count of ${operation}`);
}

function countEmptyProgram(operation: Operation, attach: Attach): number {
  const pin = '/sys/fs/bpf/empty';
  execFileSync('/usr/sbin/bpftool', ['prog', 'load', `${folder}/empty-${attach}-${operation}.o`, pin, 'autoattach'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const count = countInstructions(operation);
  rmSync(pin);
  return count;
}

function countEachOperation(count: (operation: Operation) => number): Record<Operation, number> {
  return Object.fromEntries(operationNames.map((name) => [name, count(name)])) as Record<Operation, number>;
}

/** Number of events by policy. */
const eventCounts = new Map<string, number>();

async function countEvents(batches: AsyncIterable<readonly TracerEvent[]>): Promise<void> {
  for await (const batch of batches) {
    for (const event of batch) {
      const name = 'policyName' in event ? event.policyName : '';
      eventCounts.set(name, (eventCounts.get(name) ?? 0) + 1);
    }
  }
}

/**
 * Checks that every operation of the measurement was reported, or none. Other calls of the workload may be reported
 * too.
 */
async function checkEvents(name: string, hits: boolean): Promise<void> {
  const expected = hits ? RUNS * CALLS : 0;
  for (let i = 0; i < 200 && (eventCounts.get(name) ?? 0) < expected; i++) await delay(10);
  const events = eventCounts.get(name) ?? 0;
  if (events < expected || (!hits && events > 0)) throw new Error(`${name}: ${events} events instead of ${expected}`);
}

async function measurePolicies(attach: Attach): Promise<Record<string, number>> {
  const tracer = await openTracer({ attach });
  const consumed = countEvents(tracer.batches());
  const counts: Record<string, number> = {};
  for (const benchCase of measuredCases[attach]) {
    console.error(`${attach}, ${benchCase.name}`);
    await tracer.addPolicy({ yaml: casePolicy(benchCase) });
    counts[benchCase.name] = countInstructions(benchCase.operation);
    await checkEvents(policyName(benchCase.name), benchCase.isReported);
    await tracer.removePolicy(policyName(benchCase.name));
  }
  await tracer.close();
  await consumed;
  return counts;
}

const results: FilterCounts = {
  nothing: countEachOperation(countInstructions),
  empty: {
    fentry: countEachOperation((operation) => countEmptyProgram(operation, 'fentry')),
    kprobe: countEachOperation((operation) => countEmptyProgram(operation, 'kprobe')),
  },
  policies: { fentry: await measurePolicies('fentry'), kprobe: await measurePolicies('kprobe') },
};
writeFileSync(`${folder}/filters.json`, JSON.stringify(results));
