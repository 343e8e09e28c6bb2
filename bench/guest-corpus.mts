// Runs in the virtual machine: loads and removes each policy that Tetragon publishes. guest-corpus.mts FOLDER CORPUS.
// Writes FOLDER/corpus.json.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTracer } from 'polytrace';
import { prepareProbes, replacePaths } from '../test/kernel/corpus-scenarios.js';
import type { CorpusCosts } from './corpus.mjs';

const [folder = '', corpus = ''] = process.argv.slice(2);
prepareProbes();
const tracer = await openTracer({ enforcement: true });
const costs = { policies: 0, refused: 0, hooks: 0 };
const before = process.cpuUsage();
const startMs = performance.now();
for (const file of readdirSync(corpus).sort()) {
  const yaml = replacePaths(readFileSync(join(corpus, file), 'utf8'));
  try {
    // in monitor mode, no policy acts on the processes of the guest
    for (const { name, hooks } of await tracer.addPolicy({ yaml, file }, { mode: 'monitor' })) {
      costs.policies++;
      costs.hooks += hooks.length;
      await tracer.removePolicy(name);
    }
  } catch (error) {
    costs.refused++;
    console.error(`  ${file}: ${(error as { code?: string }).code}`);
  }
}
const { user, system } = process.cpuUsage(before);
const result: CorpusCosts = {
  ...costs,
  seconds: (performance.now() - startMs) / 1000,
  cpuSeconds: (user + system) / 1e6,
};
await tracer.close();
writeFileSync(join(folder, 'corpus.json'), JSON.stringify(result));
