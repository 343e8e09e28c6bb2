import { cpuNsOf } from './cpu.mjs';
import { readItems } from './stream.mjs';
const r = readItems('file');
await r(50_000);
console.log('read', (await cpuNsOf(r, 500_000)).toFixed(0));
