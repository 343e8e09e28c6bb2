// Runs in the virtual machine: each policy of cases.mts beside the operation that it hooks. guest-filters.mts FOLDER; writes
// FOLDER/filters.json. The reader does not run during a measurement, because this process waits for the workload.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openTracer, type TracerEvent } from 'polytrace';
import {
  measured,
  nameOf,
  operationNames,
  operations,
  policyOf,
  type Attach,
  type FilterCounts,
  type Operation,
} from './cases.mjs';
import { CALLS, installWorkload, leastOfThree, required, RUNS } from './guest-workload.mjs';

const folder = required(process.argv[2], 'the folder');
mkdirSync('/srv', { recursive: true });
writeFileSync(operations.open.workload[1], '');
installWorkload(folder);

function measure(operation: Operation): number {
  return required(leastOfThree([['it', ...operations[operation].workload]])['it'], `the count of ${operation}`);
}

function measureEmpty(operation: Operation, attach: Attach): number {
  const pin = '/sys/fs/bpf/empty';
  execFileSync('/usr/sbin/bpftool', ['prog', 'load', `${folder}/empty-${attach}-${operation}.o`, pin, 'autoattach'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const count = measure(operation);
  rmSync(pin);
  return count;
}

function ofEachOperation(count: (operation: Operation) => number): Record<Operation, number> {
  return Object.fromEntries(operationNames.map((name) => [name, count(name)])) as Record<Operation, number>;
}

/** Events by policy. */
const seen = new Map<string, number>();

async function consume(batches: AsyncIterable<readonly TracerEvent[]>): Promise<void> {
  for await (const batch of batches) {
    for (const event of batch) {
      const name = 'policyName' in event ? event.policyName : '';
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
  }
}

/** Makes sure that the measurement was the intended one: every operation was reported (and what else the workload calls), or none. */
async function check(name: string, hits: boolean): Promise<void> {
  const expected = hits ? RUNS * CALLS : 0;
  for (let i = 0; i < 200 && (seen.get(name) ?? 0) < expected; i++) await delay(10);
  const events = seen.get(name) ?? 0;
  if (events < expected || (!hits && events > 0)) throw new Error(`${name}: ${events} events instead of ${expected}`);
}

async function measurePolicies(attach: Attach): Promise<Record<string, number>> {
  const tracer = await openTracer({ attach });
  const consumed = consume(tracer.batches());
  const counts: Record<string, number> = {};
  for (const one of measured[attach]) {
    console.error(`${attach}, ${one.name}`);
    await tracer.addPolicy({ yaml: policyOf(one) });
    counts[one.name] = measure(one.operation);
    await check(nameOf(one.name), one.hits);
    await tracer.removePolicy(nameOf(one.name));
  }
  await tracer.close();
  await consumed;
  return counts;
}

const results: FilterCounts = {
  nothing: ofEachOperation(measure),
  empty: {
    fentry: ofEachOperation((operation) => measureEmpty(operation, 'fentry')),
    kprobe: ofEachOperation((operation) => measureEmpty(operation, 'kprobe')),
  },
  policies: { fentry: await measurePolicies('fentry'), kprobe: await measurePolicies('kprobe') },
};
writeFileSync(`${folder}/filters.json`, JSON.stringify(results));
