// Runs in the virtual machine: each policy of cases.mjs beside the operation that it is about. guest-filters.mjs FOLDER; writes
// FOLDER/filters.json. The reader does not run while an operation is measured, as this process waits for the workload.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openTracer } from '../lib/index.mjs';
import { measured, nameOf, operations, policyOf } from './cases.mjs';
import { CALLS, installWorkload, leastOfThree, RUNS } from './guest-workload.mjs';

const [folder] = process.argv.slice(2);
mkdirSync('/srv', { recursive: true });
writeFileSync(operations.open.workload[1], '');
installWorkload(folder);

const measure = (operation) => leastOfThree([['it', ...operations[operation].workload]]).it;

function measureEmpty(operation, attach) {
  const pin = '/sys/fs/bpf/empty';
  execFileSync('/usr/sbin/bpftool', ['prog', 'load', `${folder}/empty-${attach}-${operation}.o`, pin, 'autoattach'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const count = measure(operation);
  rmSync(pin);
  return count;
}

/** Events by policy. */
const seen = new Map();
async function consume(batches) {
  for await (const batch of batches)
    for (const { policyName } of batch) if (policyName) seen.set(policyName, (seen.get(policyName) ?? 0) + 1);
}

/** What was measured is what was meant: each operation was told (and what else the workload's start calls), or none. */
async function check(name, hits) {
  const expected = hits ? RUNS * CALLS : 0;
  for (let i = 0; i < 200 && (seen.get(name) ?? 0) < expected; i++) await delay(10);
  const events = seen.get(name) ?? 0;
  if (events < expected || (!hits && events > 0)) throw new Error(`${name}: ${events} events instead of ${expected}`);
}

async function measurePolicies(attach) {
  const tracer = await openTracer({ attach });
  const consumed = consume(tracer.batches());
  const counts = {};
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

const results = { nothing: {}, empty: { fentry: {}, kprobe: {} }, policies: {} };
for (const operation of Object.keys(operations)) {
  results.nothing[operation] = measure(operation);
  for (const attach of Object.keys(measured)) results.empty[attach][operation] = measureEmpty(operation, attach);
}
for (const attach of Object.keys(measured)) results.policies[attach] = await measurePolicies(attach);
writeFileSync(`${folder}/filters.json`, JSON.stringify(results));
