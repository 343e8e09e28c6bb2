import { cpuNsOf } from './cpu.mjs';
import { compactLines, countBatches, countItems, jsonLines, readItems } from './stream.mjs';
import { readPlainly } from './plain.mjs';
const rows: [string, (n:number)=>Promise<number>, number][] = [
  ['plain', readPlainly, 250_000],
  ['countItems', countItems('file'), 500_000],
  ['countBatches', countBatches('file'), 500_000],
  ['readItems', readItems('file'), 250_000],
  ['readSocket', readItems('socket'), 250_000],
  ['compact', compactLines('file'), 100_000],
  ['json', jsonLines('file'), 60_000],
];
const want = process.argv[2]?.split(',');
const out: Record<string, number> = {};
for (const [name, r, n] of rows) {
  if (want && !want.includes(name)) continue;
  await r(n); 
  const c: number[] = [];
  for (let i = 0; i < 5; i++) c.push(await cpuNsOf(r, n));
  out[name] = Math.round(Math.min(...c));
}
console.log(JSON.stringify(out));
