// Prints how many times as long as plain code reading an event takes in a process that has kept many events before.
import { setFlagsFromString } from 'node:v8';
import { measureCpuNs } from './cpu.mjs';
import { median } from './judge.mjs';
import { BatchIterator } from './dist.mjs';
import { readPlainly } from './plain.mjs';
import { openHub, readItems } from './stream.mjs';

const KEPT = 400_000;
/** Rounds that do not count, because functions are compiled in them. */
const WARM_UP = 3;
const ROUNDS = 9;

async function keepEvents(): Promise<void> {
  const kept = [];
  let count = 0;
  for await (const batch of new BatchIterator(openHub('file', KEPT).addConsumer({}))) {
    kept.push(batch);
    count += batch.length;
    if (count >= KEPT) break;
  }
}

setFlagsFromString('--no-parallel-scavenge');
await keepEvents();
const costs: number[] = [];
const plain: number[] = [];
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  const cost = [await measureCpuNs(readPlainly, 250_000), await measureCpuNs(readItems('file'), 125_000)] as const;
  if (round < WARM_UP) continue;
  plain.push(cost[0]);
  costs.push(cost[1]);
}
console.log(median(costs) / median(plain));
